{{/* Addresses of servers in the configuration, for the network policy and the test. */}}

{{/* `host:port` of a URL, of `host:port`, or of a table { url | host, port }. Takes { node, port (the
default) }. */}}
{{- define "traitsink.server" -}}
{{- $text := .node -}}
{{- if kindIs "map" .node -}}
{{- $text = .node.url | default (printf "%s:%v" (.node.host | default "127.0.0.1") (.node.port | default .port)) -}}
{{- end -}}
{{- $text = regexReplaceAll `^[a-z]+://` $text "" -}}
{{- $text = regexReplaceAll `^.*@` $text "" -}}
{{- $text = regexReplaceAll `[/?].*$` $text "" -}}
{{- if regexMatch `:[0-9]+$` $text -}}{{ $text }}{{- else -}}{{ $text }}:{{ .port }}{{- end -}}
{{- end -}}

{{/* Servers of Redis that the configuration names, as { servers, sentinels }; both are empty when
the address is in a Secret or is no network address. */}}
{{- define "traitsink.redisServers" -}}
{{- $redis := (include "traitsink.allConfig" . | fromYaml).redis | default dict -}}
{{- $mode := $redis.mode | default "standalone" -}}
{{- $servers := list -}}
{{- $sentinels := list -}}
{{- $secrets := include "traitsink.secrets" . | fromYaml -}}
{{- $secret := or (hasKey $secrets "redis.url") (hasKey $secrets "redis.host") (hasKey $secrets "redis.nodes") -}}
{{- if or $secret (has $mode (list "embedded" "local")) (hasPrefix "unix:" ($redis.url | default "")) -}}
{{- else if eq $mode "sentinel" -}}
{{- range dig "sentinel" "nodes" list $redis -}}
{{- $sentinels = append $sentinels (include "traitsink.server" (dict "node" . "port" 26379)) -}}
{{- end -}}
{{- else -}}
{{- range $redis.nodes -}}
{{- $servers = append $servers (include "traitsink.server" (dict "node" . "port" 6379)) -}}
{{- end -}}
{{- if not $servers -}}
{{- $servers = list (include "traitsink.server" (dict "node" $redis "port" 6379)) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "servers" $servers "sentinels" $sentinels) -}}
{{- end -}}

{{/* Ports of network policies, one a line. Takes { ports, from (list of host:port) }. */}}
{{- define "traitsink.ports" -}}
{{- $ports := .ports -}}
{{- if not $ports -}}
{{- range .from -}}{{- $ports = append $ports (regexFind `[0-9]+$` . | int) -}}{{- end -}}
{{- end -}}
{{- range uniq $ports }}
- port: {{ . }}
  protocol: TCP
{{- end }}
{{- end -}}
