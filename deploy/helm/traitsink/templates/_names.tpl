{{/* Names, labels and images. */}}

{{- define "traitsink.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the names of Redis and of the test add to it, and a StatefulSet's pods
get a number and a hash behind it. */}}
{{- define "traitsink.fullname" -}}
{{- $name := include "traitsink.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "traitsink.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Labels that select pods: they never change. Takes { root, component }. */}}
{{- define "traitsink.selectorLabels" -}}
app.kubernetes.io/name: {{ include "traitsink.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes { root, component, labels (more of them) }. */}}
{{- define "traitsink.labels" -}}
{{- $own := include "traitsink.selectorLabels" . | fromYaml -}}
{{- $chart := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63)
  "app.kubernetes.io/version" (include "traitsink.version" .root)
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" (include "traitsink.name" .root) -}}
{{- toYaml (mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $chart $own) -}}
{{- end -}}

{{/* Labels of pods: none that changes with the chart's version alone. Takes { root, component,
labels }. */}}
{{- define "traitsink.podLabels" -}}
{{- $own := include "traitsink.selectorLabels" . | fromYaml -}}
{{- toYaml (mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $own) -}}
{{- end -}}

{{/* The image's tag as the value of a label. */}}
{{- define "traitsink.version" -}}
{{- default .Chart.AppVersion .Values.image.tag | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The beginning of an object's metadata. Takes { root, component, name, labels, annotations }. */}}
{{- define "traitsink.metadata" -}}
name: {{ .name }}
namespace: {{ include "traitsink.namespace" .root }}
labels:
  {{- include "traitsink.labels" . | nindent 2 }}
{{- with mergeOverwrite (dict) .root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "traitsink.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "traitsink.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's full name; a digest wins over the tag. Takes { image, tag (the default) }. */}}
{{- define "traitsink.image" -}}
{{- $image := .image -}}
{{- if $image.registry -}}{{ $image.registry }}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ default .tag $image.tag }}
{{- end -}}
{{- end -}}

{{/* Names of the objects of the chart's own Redis. */}}
{{- define "traitsink.redis.fullname" -}}
{{ include "traitsink.fullname" . }}-redis
{{- end -}}
{{- define "traitsink.redis.replicaname" -}}
{{ include "traitsink.fullname" . }}-redis-replica
{{- end -}}
