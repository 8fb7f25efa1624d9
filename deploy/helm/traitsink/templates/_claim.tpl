{{/* The spec of a volume claim. Takes { accessModes, size, storageClass }. */}}
{{- define "traitsink.claim" -}}
accessModes:
  {{- toYaml (.accessModes | default (list "ReadWriteOnce")) | nindent 2 }}
{{- if .storageClass }}
storageClassName: {{ ternary "" .storageClass (eq .storageClass "-") | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end -}}
