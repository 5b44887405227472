{{- /* The Deployment of one role. Takes root (the chart's scope), role, replicas (none: something else scales), resources. */ -}}
{{- define "response-sync.role" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "response-sync.name" $root }}-{{ .role }}
  labels:
    {{- include "response-sync.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- with .replicas }}
  replicas: {{ . }}
  {{- end }}
  # A change of the settings rolls the pods; of the secret only a restart does.
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "response-sync.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "response-sync.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        response-sync/settings: {{ include (print $root.Template.BasePath "/settings.yaml") $root | sha256sum }}
        {{- with $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "response-sync.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      # DRAIN_S and some more: what was taken is finished.
      terminationGracePeriodSeconds: 40
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "response-sync.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .role }}
      containers:
        - name: {{ .role }}
          image: {{ include "response-sync.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .role }}]
          envFrom:
            - configMapRef: {name: {{ include "response-sync.name" $root }}}
            - secretRef: {name: {{ $root.Values.secret.existingName }}}
          ports:
            {{- if eq .role "web" }}
            - {name: public, containerPort: 8080}
            {{- end }}
            - {name: admin, containerPort: 9464}
          {{- if eq .role "web" }}
          lifecycle:
            # Until the endpoint is gone everywhere, notifications still come: take them.
            preStop:
              exec: {command: [python, -c, "import time; time.sleep(5)"]}
          {{- end }}
          startupProbe:
            httpGet: {path: /healthz, port: admin}
            periodSeconds: 2
            timeoutSeconds: 4
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /healthz, port: admin}
            periodSeconds: 10
            timeoutSeconds: 4
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            periodSeconds: 10
            timeoutSeconds: 4
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            {{- toYaml .resources | nindent 12 }}
          {{- with $root.Values.secretFiles }}
          volumeMounts:
            {{- range $at, $file := . }}
            - {name: files-{{ $at }}, mountPath: {{ $file.mountPath }}, readOnly: true}
            {{- end }}
          {{- end }}
      {{- with $root.Values.secretFiles }}
      volumes:
        {{- range $at, $file := . }}
        - name: files-{{ $at }}
          secret: {secretName: {{ $file.secretName }}, defaultMode: 0440}
        {{- end }}
      {{- end }}
{{- end }}

{{- /* Of one role, at most one pod at a time is taken away on purpose. */ -}}
{{- define "response-sync.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "response-sync.name" .root }}-{{ .role }}
  labels:
    {{- include "response-sync.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "response-sync.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
{{- end }}
