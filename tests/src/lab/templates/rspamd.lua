rspamd_config.LAB_EICAR = { callback = function(task)
  for _, part in ipairs(task:get_parts() or {}) do
    if string.find(tostring(part:get_content()), 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE', 1, true) then return true end
  end
end, score = 100, group = 'lab' }
rspamd_config.LAB_SPAMWORD = { callback = function(task)
  local subject = task:get_header('Subject')
  return subject ~= nil and string.find(subject, 'LAB-SPAM', 1, true) ~= nil
end, score = 8, group = 'lab' }
