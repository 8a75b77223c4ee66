{{- define "mailsonde.name" -}}
{{- if contains "mailsonde" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-mailsonde" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mailsonde.labels" -}}
app.kubernetes.io/name: mailsonde
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "mailsonde.selector" -}}
app.kubernetes.io/name: mailsonde
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* What agents call the collector. */}}
{{- define "mailsonde.collector" -}}
{{- .Values.collector.name | default (printf "%s-collector.%s.svc" (include "mailsonde.name" .) .Release.Namespace) }}
{{- end }}

{{- define "mailsonde.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "mailsonde.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
