{{/* Combinations of values that cannot work. The types of single values are in values.schema.json. */}}
{{- define "traitsink.checks" -}}
{{- $config := include "traitsink.allConfig" . | fromYaml -}}
{{- $secrets := include "traitsink.secrets" . | fromYaml -}}
{{- $http := include "traitsink.hasHttp" . -}}
{{- $kafka := include "traitsink.hasKafka" . -}}
{{- include "traitsink.refuseSecrets" (dict "path" "config" "value" .Values.config) -}}

{{- if not (or $http $kafka) -}}
{{- fail "there is no source: set config.http (with write keys under secrets or secretConfig) or config.kafka" -}}
{{- end -}}
{{- if $http -}}
{{- $given := or (dig "http" "write_keys" "" $config) (dig "http" "write_keys_file" "" $config) (dig "http" "sources" "" $config) (hasKey $secrets "http.write_keys") -}}
{{- if not $given -}}
{{- fail "the HTTP source needs a write key: set secrets.\"http.write_keys_file\" (an existing Secret) or secretConfig.http.write_keys" -}}
{{- end -}}
{{- end -}}
{{- range $section := list "http" "admin" "deletion" -}}
{{- $listen := dig $section "listen" "" $config -}}
{{- if regexMatch `^(127\.|localhost|\[::1\])` $listen -}}
{{- fail (printf "config.%s.listen: Kubernetes cannot reach %s: leave it out, or use 0.0.0.0 or [::]" $section $listen) -}}
{{- end -}}
{{- end -}}
{{- if and $http (eq (include "traitsink.httpPort" .) (include "traitsink.adminPort" .)) -}}
{{- fail "config.http.listen and config.admin.listen have the same port" -}}
{{- end -}}
{{- with include "traitsink.deletionPort" . -}}
{{- if or (eq . (include "traitsink.adminPort" $)) (and $http (eq . (include "traitsink.httpPort" $))) -}}
{{- fail "config.deletion.listen has the port of another listener" -}}
{{- end -}}
{{- if not $.Values.persistence.enabled -}}
{{- fail "config.deletion.listen needs persistence.enabled: a regulation is on the disk of the worker that took it" -}}
{{- end -}}
{{- end -}}

{{- if dig "kafka" "group_instance_id" "" $config -}}
{{- fail "config.kafka.group_instance_id would be the same for all pods: leave it out, and with kind: StatefulSet each pod uses its own name" -}}
{{- end -}}
{{- if and .Values.redis.enabled (or (dig "redis" "url" "" .Values.config) (dig "redis" "host" "" .Values.config) (dig "redis" "nodes" "" .Values.config) (dig "redis" "mode" "" .Values.config) (hasKey $secrets "redis.url")) -}}
{{- fail "redis.enabled installs a Redis, and config.redis names another one: set one of them" -}}
{{- end -}}

{{- if .Values.keda.enabled -}}
{{- if not $kafka -}}
{{- fail "keda.enabled scales by the lag of the Kafka source: set config.kafka, or use autoscaling" -}}
{{- end -}}
{{- if hasKey $secrets "kafka.bootstrap_servers" -}}
{{- fail "keda.enabled needs config.kafka.bootstrap_servers: KEDA asks the same brokers" -}}
{{- end -}}
{{- if and (dig "kafka" "sasl" "mechanism" "" $config) (not .Values.keda.authenticationRef) -}}
{{- fail "keda.authenticationRef: the brokers want a login, and KEDA has its own: name a TriggerAuthentication" -}}
{{- end -}}
{{- if and $http (lt (int .Values.keda.minReplicas) 1) -}}
{{- fail "keda.minReplicas: with the HTTP source at least one worker must run" -}}
{{- end -}}
{{- end -}}

{{- range $key, $from := $secrets -}}
{{- if and $from.configMapName (not (hasSuffix "_file" $key)) -}}
{{- fail (printf "secrets.%q: only keys that end in _file can come from a ConfigMap" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
