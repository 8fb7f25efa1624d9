{{/* A pod of the chart's own Redis. Takes { root, component, master (its host, for a replica) }. */}}
{{- define "traitsink.redis.workload" -}}
{{- $root := .root -}}
{{- $redis := .root.Values.redis -}}
{{- $name := ternary (include "traitsink.redis.replicaname" .root) (include "traitsink.redis.fullname" .root) (ne .master "") -}}
{{- $labels := dict "root" .root "component" .component "name" $name "labels" (dict "traitsink/role" (ternary "replica" "master" (ne .master ""))) -}}
{{- $select := merge (dict "traitsink/role" (ternary "replica" "master" (ne .master ""))) (include "traitsink.selectorLabels" $labels | fromYaml) -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "traitsink.metadata" $labels | nindent 2 }}
spec:
  {{- if .master }}
  clusterIP: None
  {{- end }}
  selector:
    {{- toYaml $select | nindent 4 }}
  ports:
    - name: redis
      port: 6379
      targetPort: redis
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "traitsink.metadata" $labels | nindent 2 }}
spec:
  replicas: {{ ternary (int $redis.replicaCount) 1 (ne .master "") }}
  serviceName: {{ $name }}
  selector:
    matchLabels:
      {{- toYaml $select | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "traitsink.podLabels" $labels | nindent 8 }}
    spec:
      serviceAccountName: {{ include "traitsink.serviceAccountName" .root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- toYaml $redis.podSecurityContext | nindent 8 }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: redis
          image: {{ include "traitsink.image" (dict "image" $redis.image "tag" "") }}
          imagePullPolicy: {{ $redis.image.pullPolicy }}
          command: [redis-server]
          args:
            - --dir
            - /data
            {{- if $redis.auth.existingSecret }}
            - --requirepass
            - $(REDISCLI_AUTH)
            - --masterauth
            - $(REDISCLI_AUTH)
            {{- else }}
            # Whoever reaches the port may write: see networkPolicy.
            - --protected-mode
            - "no"
            {{- end }}
            {{- if $redis.persistence.enabled }}
            # A write is on disk before it is confirmed.
            - --appendonly
            - "yes"
            - --appendfsync
            - always
            {{- else }}
            - --appendonly
            - "no"
            - --save
            - ""
            {{- end }}
            {{- with $redis.maxmemory }}
            # When it is full it refuses writes, which are then tried again; it never drops profiles.
            - --maxmemory
            - {{ . | quote }}
            - --maxmemory-policy
            - noeviction
            {{- end }}
            {{- if .master }}
            - --replicaof
            - {{ .master }}
            - "6379"
            {{- end }}
            {{- with $redis.extraArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- if $redis.auth.existingSecret }}
          env:
            - name: REDISCLI_AUTH
              valueFrom:
                secretKeyRef:
                  name: {{ $redis.auth.existingSecret }}
                  key: {{ $redis.auth.key }}
          {{- end }}
          ports:
            - name: redis
              containerPort: 6379
          readinessProbe:
            exec:
              # -e: an error in the reply is an error.
              command: [redis-cli, -e, ping]
            periodSeconds: 5
            timeoutSeconds: 3
          livenessProbe:
            tcpSocket:
              port: redis
            periodSeconds: 10
            failureThreshold: 6
          resources:
            {{- toYaml $redis.resources | nindent 12 }}
          securityContext:
            {{- toYaml .root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /data
      {{- with $redis.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $redis.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $redis.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if not $redis.persistence.enabled }}
      volumes:
        - name: data
          emptyDir: {}
      {{- end }}
  {{- if $redis.persistence.enabled }}
  volumeClaimTemplates:
    - metadata:
        name: data
        labels:
          {{- toYaml $select | nindent 10 }}
      spec:
        {{- include "traitsink.claim" $redis.persistence | nindent 8 }}
  {{- end }}
{{- end -}}
