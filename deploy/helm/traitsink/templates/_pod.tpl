{{/* The worker's pod: the same for a Deployment, a StatefulSet and the test. */}}

{{/* Variables: keys whose values are in Secrets. */}}
{{- define "traitsink.env" -}}
{{- range $key, $from := include "traitsink.secrets" . | fromYaml }}
{{- if not (hasSuffix "_file" $key) }}
- name: {{ include "traitsink.variable" $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.secretName }}
      key: {{ $from.key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "traitsink.configArgs" -}}
- --config
- /etc/traitsink/config/traitsink.yaml
{{- if .Values.secretConfig }}
- --config
- /etc/traitsink/secret-config/traitsink.yaml
{{- end }}
{{- end -}}

{{- define "traitsink.configMounts" -}}
- name: config
  mountPath: /etc/traitsink/config
  readOnly: true
{{- if .Values.secretConfig }}
- name: secret-config
  mountPath: /etc/traitsink/secret-config
  readOnly: true
{{- end }}
{{- if include "traitsink.secretFiles" . | fromYaml }}
- name: secrets
  mountPath: /etc/traitsink/secrets
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "traitsink.configVolumes" -}}
- name: config
  configMap:
    name: {{ include "traitsink.fullname" . }}
{{- if .Values.secretConfig }}
- name: secret-config
  secret:
    secretName: {{ include "traitsink.fullname" . }}
    defaultMode: 0440
    items:
      - key: traitsink.yaml
        path: traitsink.yaml
{{- end }}
{{- with include "traitsink.secretFiles" . | fromYaml }}
# Each file has the name of its key. New contents appear in it while the pod runs.
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $key, $from := . }}
      - {{ ternary "configMap" "secret" (hasKey $from "configMapName") }}:
          name: {{ default $from.secretName $from.configMapName }}
          items:
            - key: {{ $from.key }}
              path: {{ $key }}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A probe of the admin port. Takes { probe, path }. */}}
{{- define "traitsink.probe" -}}
{{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" .path "port" "admin")) .probe) -}}
{{- end -}}

{{- define "traitsink.podTemplate" -}}
{{- $component := dict "root" . "component" "worker" -}}
metadata:
  labels:
    {{- include "traitsink.podLabels" (merge (dict "labels" .Values.podLabels) $component) | nindent 4 }}
  annotations:
    checksum/config: {{ include "traitsink.config" . | sha256sum }}
    {{- if .Values.secretConfig }}
    checksum/secret-config: {{ include "traitsink.secretConfig" . | sha256sum }}
    {{- end }}
    {{- with mergeOverwrite (dict) .Values.commonAnnotations .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "traitsink.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "traitsink.gracePeriod" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: traitsink
      image: {{ include "traitsink.image" (dict "image" .Values.image "tag" .Chart.AppVersion) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- include "traitsink.configArgs" . | nindent 8 }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        - run
      {{- $static := and (eq .Values.kind "StatefulSet") (include "traitsink.hasKafka" .) }}
      {{- $env := include "traitsink.env" . }}
      {{- if or $static $env .Values.extraEnv }}
      env:
        {{- if $static }}
        # Static membership: a pod that is restarted gets its partitions back at once.
        - name: TRAITSINK_KAFKA__GROUP_INSTANCE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- with $env }}
        {{- trim . | nindent 8 }}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if include "traitsink.hasHttp" . }}
        - name: http
          containerPort: {{ include "traitsink.httpPort" . }}
        {{- end }}
        - name: admin
          containerPort: {{ include "traitsink.adminPort" . }}
        {{- with include "traitsink.deletionPort" . }}
        - name: deletion
          containerPort: {{ . }}
        {{- end }}
      {{- with .Values.startupProbe }}
      startupProbe:
        {{- include "traitsink.probe" (dict "probe" . "path" "/live") | nindent 8 }}
      {{- end }}
      {{- with .Values.readinessProbe }}
      readinessProbe:
        {{- include "traitsink.probe" (dict "probe" . "path" "/ready") | nindent 8 }}
      {{- end }}
      {{- with .Values.livenessProbe }}
      livenessProbe:
        {{- include "traitsink.probe" (dict "probe" . "path" "/live") | nindent 8 }}
      {{- end }}
      resources:
        {{- include "traitsink.resources" . | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: {{ (include "traitsink.allConfig" . | fromYaml).data_dir }}
        {{- include "traitsink.configMounts" . | nindent 8 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "traitsink.configVolumes" . | nindent 4 }}
    {{- if not .Values.persistence.enabled }}
    - name: data
      emptyDir:
        {{- toYaml .Values.persistence.emptyDir | nindent 8 }}
    {{- else if or .Values.persistence.existingClaim (eq .Values.kind "Deployment") }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ default (include "traitsink.fullname" .) .Values.persistence.existingClaim }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "traitsink.selectorLabels" $component | fromYaml)) }}
    {{- $constraints := list }}
    {{- range . }}{{- $constraints = append $constraints (merge (deepCopy .) $selector) }}{{- end }}
    {{- toYaml $constraints | nindent 4 }}
  {{- end }}
{{- end -}}
