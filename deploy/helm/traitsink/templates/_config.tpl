{{/* The program's configuration, and where its secrets come from. */}}

{{/* Sets a key with dots in it. Takes { config, key, value }. */}}
{{- define "traitsink.setKey" -}}
{{- $here := .config -}}
{{- $parts := splitList "." .key -}}
{{- range initial $parts -}}
{{- if not (kindIs "map" (get $here .)) -}}{{- $_ := set $here . dict -}}{{- end -}}
{{- $here = get $here . -}}
{{- end -}}
{{- $_ := set $here (last $parts) .value -}}
{{- end -}}

{{/* Takes keys without a value out of a table: that is how a file of values removes what another
one has set. */}}
{{- define "traitsink.prune" -}}
{{- range $key, $value := . -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $ $key -}}
{{- else if kindIs "map" $value -}}
{{- include "traitsink.prune" $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The file of the Secret. */}}
{{- define "traitsink.secretConfig" -}}
{{- $config := deepCopy .Values.secretConfig -}}
{{- include "traitsink.prune" $config -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The file of the ConfigMap: `config`, the defaults that fit a pod, and the paths of mounted
secrets. */}}
{{- define "traitsink.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- include "traitsink.prune" $config -}}
{{- $defaults := dict "data_dir" "/var/lib/traitsink" "admin" (dict "listen" "0.0.0.0:9464") -}}
{{- if include "traitsink.hasHttp" . -}}
{{- $_ := set $defaults "http" (dict "listen" "0.0.0.0:8080") -}}
{{- /* Kubernetes takes a while to send no more requests to a pod that stops. */ -}}
{{- $_ := set $defaults "delivery" (dict "stop_delay" "5s") -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- $redis := dict "url" (printf "redis://%s:6379/0" (include "traitsink.redis.fullname" .)) -}}
{{- if gt (int .Values.redis.replicaCount) 0 -}}
{{- $replica := include "traitsink.redis.replicaname" . -}}
{{- $nodes := list -}}
{{- range $number := until (int .Values.redis.replicaCount) -}}
{{- $nodes = append $nodes (printf "%s-%d.%s:6379" $replica $number $replica) -}}
{{- end -}}
{{- $_ := set $redis "mode" "primary_replicas" -}}
{{- $_ := set $redis "replicas" (dict "nodes" $nodes) -}}
{{- end -}}
{{- $_ := set $defaults "redis" $redis -}}
{{- end -}}
{{- $config = mergeOverwrite $defaults $config -}}
{{- range $key, $from := include "traitsink.secretFiles" . | fromYaml -}}
{{- include "traitsink.setKey" (dict "config" $config "key" $key "value" (printf "/etc/traitsink/secrets/%s" $key)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* All keys that the chart knows: for its own decisions, never printed. */}}
{{- define "traitsink.allConfig" -}}
{{- toYaml (mergeOverwrite (include "traitsink.config" . | fromYaml) (include "traitsink.secretConfig" . | fromYaml)) -}}
{{- end -}}

{{/* `secrets`, and the password of the chart's own Redis. */}}
{{- define "traitsink.secrets" -}}
{{- $secrets := deepCopy .Values.secrets -}}
{{- include "traitsink.prune" $secrets -}}
{{- with .Values.redis -}}
{{- if and .enabled .auth.existingSecret -}}
{{- $_ := set $secrets "redis.password_file" (dict "secretName" .auth.existingSecret "key" .auth.key) -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* Secrets that are mounted as files: keys that end in _file. */}}
{{- define "traitsink.secretFiles" -}}
{{- $files := dict -}}
{{- range $key, $from := include "traitsink.secrets" . | fromYaml -}}
{{- if hasSuffix "_file" $key -}}{{- $_ := set $files $key $from -}}{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* The variable of a key. */}}
{{- define "traitsink.variable" -}}
{{- if contains "." . -}}
TRAITSINK_{{ . | replace "." "__" | upper }}
{{- else -}}
TRAITSINK__{{ upper . }}
{{- end -}}
{{- end -}}

{{/* Not empty when a source is on: its section, or one of its keys, is given. */}}
{{- define "traitsink.hasSection" -}}
{{- $prefix := printf "%s." .section -}}
{{- $found := or (kindIs "map" (get .root.Values.config .section)) (kindIs "map" (get .root.Values.secretConfig .section)) -}}
{{- range $key, $from := include "traitsink.secrets" .root | fromYaml -}}
{{- if hasPrefix $prefix $key -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- if $found -}}yes{{- end -}}
{{- end -}}
{{- define "traitsink.hasHttp" -}}
{{- include "traitsink.hasSection" (dict "root" . "section" "http") -}}
{{- end -}}
{{- define "traitsink.hasKafka" -}}
{{- include "traitsink.hasSection" (dict "root" . "section" "kafka") -}}
{{- end -}}

{{/* The port of a listener. Takes { root, section, default }. */}}
{{- define "traitsink.port" -}}
{{- $config := include "traitsink.allConfig" .root | fromYaml -}}
{{- $listen := dig .section "listen" "" $config -}}
{{- regexFind `[0-9]+$` $listen -}}
{{- end -}}
{{- define "traitsink.httpPort" -}}
{{- include "traitsink.port" (dict "root" . "section" "http") -}}
{{- end -}}
{{- define "traitsink.adminPort" -}}
{{- include "traitsink.port" (dict "root" . "section" "admin") -}}
{{- end -}}
{{/* Empty: no API deletes users. */}}
{{- define "traitsink.deletionPort" -}}
{{- include "traitsink.port" (dict "root" . "section" "deletion") -}}
{{- end -}}

{{/* Fails when something in `config` is a secret. Takes { path, value }. */}}
{{- define "traitsink.refuseSecrets" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- include "traitsink.refuseSecrets" (dict "path" (printf "%s.%s" $path $key) "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $value := .value -}}
{{- include "traitsink.refuseSecrets" (dict "path" (printf "%s[%d]" $path $index) "value" $value) -}}
{{- end -}}
{{- else if and (not (kindIs "invalid" .value)) (ne (toString .value) "") -}}
{{- $named := regexMatch `[._](password|secret|token|write_keys?)(\[[0-9]+\])?$` $path -}}
{{- $held := regexMatch `(://[^@]*:[^@]*@|[?&]pass(word)?=)` (toString .value) -}}
{{- if or $named $held -}}
{{- fail (printf "%s %s, and config is stored in a ConfigMap: name an existing Secret under secrets, or move the key to secretConfig" $path (ternary "is a secret" "holds a password" $named)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
