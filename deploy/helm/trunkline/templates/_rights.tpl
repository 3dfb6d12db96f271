{{- /* What the gateway may do in which namespace, as JSON: {NAMESPACE: {slices, objects, requests, events, lease, pulse, secrets}}; the
     namespace "*" is all of them. Nothing: it asks for nothing. */ -}}
{{- define "trunkline.rights" -}}
{{- $k := .Values.kubernetes -}}
{{- $own := .Release.Namespace -}}
{{- $all := dict -}}
{{- range $k.discovery -}}
{{-   $one := get $all .namespace | default (dict "secrets" list) -}}
{{-   $_ := set $one "slices" true -}}
{{-   $_ := set $one "secrets" (concat $one.secrets (.secrets | default list)) -}}
{{-   $_ := set $all .namespace $one -}}
{{- end -}}
{{- if $k.objects.enabled -}}
{{-   range default (list $own) $k.objects.namespaces -}}
{{-     $one := get $all . | default (dict "secrets" list) -}}
{{-     range $what := list "slices" "objects" -}}{{- $_ := set $one $what true -}}{{- end -}}
{{-     $_ := set $one "events" $k.events -}}
{{-     $_ := set $one "requests" $k.requests -}}
{{-     $_ := set $all . $one -}}
{{-   end -}}
{{-   range $namespace, $names := $k.objects.secrets -}}
{{-     $one := get $all $namespace | default (dict "secrets" list) -}}
{{-     $_ := set $one "secrets" (concat $one.secrets $names) -}}
{{-     $_ := set $all $namespace $one -}}
{{-   end -}}
{{- end -}}
{{- if include "trunkline.keepsObjects" . -}}
{{-   $one := get $all $own | default (dict "secrets" list) -}}
{{-   $_ := set $one "lease" true -}}
{{-   $_ := set $one "pulse" $k.requests -}}
{{-   $_ := set $one "requests" $k.requests -}}
{{-   $_ := set $one "events" $k.events -}}
{{-   $_ := set $all $own $one -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /* It keeps something at the API server: it needs a name there. */ -}}
{{- define "trunkline.keepsObjects" -}}
{{- if or .Values.kubernetes.objects.enabled .Values.kubernetes.requests -}}yes{{- end -}}
{{- end -}}

{{- /* It talks to the API server: it has a token for that, and a way through the NetworkPolicy. */ -}}
{{- define "trunkline.usesApi" -}}
{{- if or .Values.rbac.tokenReview .Values.rbac.accessReview (ne (include "trunkline.rights" .) "{}") -}}yes{{- end -}}
{{- end -}}

{{- /* Cluster-scoped names are nobody else's: they begin with the release's namespace. So do those in other namespaces. */ -}}
{{- define "trunkline.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "trunkline.fullname" .) -}}
{{- end -}}

{{- /* Of [rights in one namespace, the chart]: the rules. */ -}}
{{- define "trunkline.rules" -}}
{{- $may := index . 0 -}}
{{- $ := index . 1 -}}
{{- if $may.slices }}
# Where the servers of upstreams are.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- with $may.secrets }}
# Passwords and authorities that the configuration names, one by one: nothing else in any Secret.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ uniq . | sortAlpha | toJson }}
  verbs: [list, watch]
{{- end }}
{{- if $may.objects }}
# The configuration itself,
- apiGroups: [trunkline.dev]
  resources: [postgresupstreams, postgresroutes, accesspolicies]
  verbs: [get, list, watch]
# and what becomes of it. The gateway changes no object but for its status.
- apiGroups: [trunkline.dev]
  resources: [postgresupstreams/status, postgresroutes/status, accesspolicies/status]
  verbs: [patch]
{{- end }}
{{- if $may.requests }}
# Requests for access: made at logins and through the API, and removed some time after they are over. What people wrote into them is
# never changed; what became of them is in the status, which is for the gateway alone: whoever may write it can grant anything.
- apiGroups: [trunkline.dev]
  resources: [accessrequests]
  verbs: [get, list, watch, create, delete]
- apiGroups: [trunkline.dev]
  resources: [accessrequests/status]
  verbs: [update]
{{- end }}
{{- if $may.events }}
# What somebody should see of an object, as kubectl describe shows it.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- if $may.lease }}
# One of the replicas writes statuses: who holds the lease. A create cannot be held to a name.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [trunkline-{{ include "trunkline.fullname" $ }}]
  verbs: [get, update]
{{- end }}
{{- if $may.pulse }}
# With requests each process has a lease, as a sign of life, which it or another one removes: of names that nobody knows before.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list, create, patch, delete]
{{- end }}
{{- end -}}
