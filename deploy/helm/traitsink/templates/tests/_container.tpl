{{/* A step of files/helm-test.sh; its variables follow. Takes { root, script, step, mounts }. */}}
{{- define "traitsink.test.container" -}}
image: {{ include "traitsink.image" (dict "image" .root.Values.tests.image "tag" "") }}
imagePullPolicy: {{ .root.Values.tests.image.pullPolicy }}
command: [sh, -c]
args:
  - |
    {{- .script | nindent 4 }}
  - helm-test
  - {{ .step }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
volumeMounts:
  - name: work
    mountPath: /profile
  {{- with .mounts }}
  {{- . | nindent 2 }}
  {{- end }}
env:
  - name: WORK
    value: /profile
{{- end -}}
