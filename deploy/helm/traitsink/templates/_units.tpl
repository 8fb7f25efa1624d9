{{/* Durations and sizes as the program reads them. */}}

{{/* Milliseconds of a duration: 500ms, 20s, 2m, 1h, 1m 30s. Takes { key, text }. */}}
{{- define "traitsink.milliseconds" -}}
{{- $text := toString .text -}}
{{- if not (regexMatch `^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h)\s*)+$` $text) -}}
{{- fail (printf "config.%s: %q is not a duration that the chart can read: write it as 500ms, 20s, 2m or 1h" .key $text) -}}
{{- end -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll `[0-9]+(\.[0-9]+)?\s*(ms|s|m|h)` $text -1 -}}
{{- $number := regexFind `^[0-9.]+` . -}}
{{- $unit := regexFind `[a-z]+$` . -}}
{{- $sum = addf $sum (mulf (float64 $number) (get $units $unit)) -}}
{{- end -}}
{{- ceil $sum | int64 -}}
{{- end -}}

{{/* Bytes of a size: 64KiB, 4MiB, 1GiB, 1MB. Takes { key, text }. */}}
{{- define "traitsink.bytes" -}}
{{- $text := toString .text | lower | nospace -}}
{{- $units := dict "b" 1 "k" 1000 "kb" 1000 "ki" 1024 "kib" 1024
  "m" 1000000 "mb" 1000000 "mi" 1048576 "mib" 1048576
  "g" 1000000000 "gb" 1000000000 "gi" 1073741824 "gib" 1073741824 -}}
{{- $unit := regexFind `[a-z]+$` $text -}}
{{- if or (not (regexMatch `^[0-9]+(\.[0-9]+)?[a-z]+$` $text)) (not (hasKey $units $unit)) -}}
{{- fail (printf "config.%s: %q is not a size that the chart can read: write it as 64KiB, 4MiB or 1GiB" .key (toString .text)) -}}
{{- end -}}
{{- mulf (float64 (regexFind `^[0-9.]+` $text)) (get $units $unit) | ceil | int64 -}}
{{- end -}}

{{/* Seconds that a pod may take to stop: delivery.stop_delay, delivery.stop_grace and 5 more. */}}
{{- define "traitsink.gracePeriod" -}}
{{- $delivery := (include "traitsink.allConfig" . | fromYaml).delivery | default dict -}}
{{- $delay := include "traitsink.milliseconds" (dict "key" "delivery.stop_delay" "text" ($delivery.stop_delay | default "0s")) -}}
{{- $grace := include "traitsink.milliseconds" (dict "key" "delivery.stop_grace" "text" ($delivery.stop_grace | default "20s")) -}}
{{- $least := add 5 (ceil (divf (add (int64 $delay) (int64 $grace)) 1000)) | int64 -}}
{{- $set := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $set -}}
{{- $least -}}
{{- else if lt (int64 $set) $least -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is less than delivery.stop_delay + delivery.stop_grace + 5 s, which is %d: Kubernetes would kill the worker before it has written what it took" (int64 $set) $least) -}}
{{- else -}}
{{- int64 $set -}}
{{- end -}}
{{- end -}}

{{/* Memory that the program may use, in MiB: docs/operations.md, "Memory and other limits". */}}
{{- define "traitsink.memory" -}}
{{- $config := include "traitsink.allConfig" . | fromYaml -}}
{{- $delivery := $config.delivery | default dict -}}
{{- $bytes := int64 (include "traitsink.bytes" (dict "key" "delivery.max_in_flight" "text" ($delivery.max_in_flight | default "32MiB"))) -}}
{{- $batch := int64 (include "traitsink.bytes" (dict "key" "delivery.max_batch_bytes" "text" ($delivery.max_batch_bytes | default "1MiB"))) -}}
{{- $mode := dig "redis" "mode" "standalone" $config -}}
{{- $lanes := 4 -}}
{{- if eq $mode "cluster" -}}{{- $lanes = 12 -}}{{- end -}}
{{- if eq $mode "sharded" -}}{{- $lanes = mul 4 (len (dig "redis" "nodes" list $config)) -}}{{- end -}}
{{- $lanes = int64 ($delivery.lanes | default $lanes) -}}
{{- /* The 64 MiB hold the program, the write buffers of 4 lanes and 1024 connections. */ -}}
{{- $bytes = add $bytes (mul 64 1048576) -}}
{{- $bytes = add $bytes (mul (max 0 (sub $lanes 4)) $batch) -}}
{{- $bytes = add $bytes (mul (max 0 (sub $batch 1048576)) (min 4 $lanes)) -}}
{{- $bytes = add $bytes (mul (max 0 (sub (int64 (dig "http" "max_connections" 1024 $config)) 1024)) 8192) -}}
{{- if include "traitsink.hasKafka" . -}}
{{- $queued := dig "kafka" "librdkafka" "queued.max.messages.kbytes" 16384 $config -}}
{{- $bytes = add $bytes (mul (int64 (toString $queued)) 1024) -}}
{{- end -}}
{{- ceil (divf $bytes 1048576) | int64 -}}
{{- end -}}

{{/* The container's resources: memory is computed where the values do not say it. */}}
{{- define "traitsink.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $memory := int64 (include "traitsink.memory" .) -}}
{{- $requests := deepCopy ($resources.requests | default dict) -}}
{{- $limits := deepCopy ($resources.limits | default dict) -}}
{{- if not $limits.memory -}}
{{- $_ := set $limits "memory" (printf "%dMi" (add $memory (int64 .Values.memoryHeadroomMi))) -}}
{{- if not $requests.memory -}}{{- $_ := set $requests "memory" (printf "%dMi" $memory) -}}{{- end -}}
{{- end -}}
{{- $_ := set $resources "requests" $requests -}}
{{- $_ := set $resources "limits" $limits -}}
{{- toYaml $resources -}}
{{- end -}}
