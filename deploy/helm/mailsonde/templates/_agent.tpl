{{- /* A pod of an agent: root, the agent's name as an argument, the volume of its data, who it runs as. */}}
{{- define "mailsonde.agent" -}}
{{- $of := .root.Values.agents }}
{{- $name := printf "%s-agent" (include "mailsonde.name" .root) }}
metadata:
  labels:
    {{- include "mailsonde.labels" .root | nindent 4 }}
    app.kubernetes.io/component: agent
    {{- with .label }}
    mailsonde/agent: {{ . }}
    {{- end }}
  annotations:
    # mounted file by file, which is not followed
    checksum/config: {{ printf "%s%s%s" $of.config $of.policy $of.collector | sha256sum }}
spec:
  {{- include "mailsonde.pod" (dict "root" .root "of" $of) | nindent 2 }}
  terminationGracePeriodSeconds: 30
  securityContext:
    {{- if eq (int .user) 0 }}
    # the folder on the node belongs to root; no capability goes with that here
    runAsUser: 0
    {{- else }}
    runAsNonRoot: true
    runAsUser: {{ .user }}
    runAsGroup: {{ .user }}
    fsGroup: {{ .user }}
    fsGroupChangePolicy: OnRootMismatch
    {{- end }}
    seccompProfile: { type: RuntimeDefault }
  initContainers:
    # comes in by its token, once: its key is made here and stays here
    - name: enroll
      image: {{ $of.image | quote }}
      imagePullPolicy: {{ $of.imagePullPolicy }}
      args: [enroll, --if-needed, --data, /var/lib/mailsonde-agent, --token-file, "/run/secrets/tokens/{{ .agent }}"]
      {{- with .env }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "mailsonde.container" .root | nindent 8 }}
      resources:
        {{- toYaml $of.resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /var/lib/mailsonde-agent }
        - { name: tokens, mountPath: /run/secrets/tokens, readOnly: true }
  containers:
    - name: agent
      image: {{ $of.image | quote }}
      imagePullPolicy: {{ $of.imagePullPolicy }}
      args: [run, --config, /etc/mailsonde-agent/agent.toml, --data, /var/lib/mailsonde-agent, --name, {{ .agent | quote }}]
      {{- with .env }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "mailsonde.container" .root | nindent 8 }}
      resources:
        {{- toYaml $of.resources | nindent 8 }}
      # a sign of life in its folder: the loop that starts runs goes on
      startupProbe:
        exec:
          command: [/usr/bin/mailsonde-agent, health, --data, /var/lib/mailsonde-agent]
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 24
      livenessProbe:
        exec:
          command: [/usr/bin/mailsonde-agent, health, --data, /var/lib/mailsonde-agent]
        periodSeconds: 30
        timeoutSeconds: 5
        failureThreshold: 3
      volumeMounts:
        - { name: data, mountPath: /var/lib/mailsonde-agent }
        # file by file: the folder that holds them must be nobody's to write to
        - { name: config, mountPath: /etc/mailsonde-agent/agent.toml, subPath: agent.toml, readOnly: true }
        {{- if $of.policy }}
        - { name: config, mountPath: /etc/mailsonde-agent/policy.toml, subPath: policy.toml, readOnly: true }
        {{- end }}
        {{- if $of.secret }}
        - { name: secret, mountPath: /run/secrets/mailsonde, readOnly: true }
        {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ $name }} }
    # it may go once all agents are in
    - name: tokens
      secret: { secretName: {{ $of.tokenSecret }}, defaultMode: 0440, optional: true }
    {{- with $of.secret }}
    - name: secret
      secret: { secretName: {{ . }}, defaultMode: 0440 }
    {{- end }}
    - name: data
      {{- .data | nindent 6 }}
{{- end }}
