package apitest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Ago is a time before now; ages of whole hours are printed the same during a test.
func Ago(d time.Duration) metav1.Time { return metav1.NewTime(time.Now().Add(-d - time.Second)) }

// At is a fixed time, for what is printed as such.
func At(hour, minute int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 5, 1, hour, minute, 0, 0, time.UTC))
}

func node() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "board", CreationTimestamp: Ago(50 * time.Hour)},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.168.1.7"}},
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion: "v0.1.0", KernelVersion: "6.18.0", OSImage: "Debian GNU/Linux 12 (bookworm)",
				ContainerRuntimeVersion: "podd://0.1.0",
			},
		},
	}
}

// Pod returns a pod that runs, with one container "app", three hours old.
func Pod(name string, edit ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: types.UID("uid-" + name),
			CreationTimestamp: Ago(3 * time.Hour), Labels: map[string]string{"app": name},
		},
		Spec: corev1.PodSpec{
			NodeName:           "board",
			RestartPolicy:      corev1.RestartPolicyAlways,
			ServiceAccountName: "default",
			Containers:         []corev1.Container{{Name: "app", Image: "busybox"}},
		},
		Status: corev1.PodStatus{
			Phase:     corev1.PodRunning,
			QOSClass:  corev1.PodQOSBestEffort,
			StartTime: new(At(9, 0)),
			HostIP:    "192.168.1.7",
			PodIP:     "10.88.0.2",
			PodIPs:    []corev1.PodIP{{IP: "10.88.0.2"}},
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
				{Type: corev1.PodReady, Status: corev1.ConditionTrue},
			},
			ContainerStatuses: []corev1.ContainerStatus{Running("app")},
		},
	}
	for _, e := range edit {
		e(p)
	}
	return p
}

// Running is the status of a container that runs since nine.
func Running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, Ready: true, Started: new(true), Image: "docker.io/library/busybox:latest", ImageID: "sha256:0123", ContainerID: "podd://" + name + "-1",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: At(9, 0)}},
	}
}

// Waiting is the status of a container that has ended n times with code 1.
func Waiting(name, reason string, n int32, ended metav1.Time) corev1.ContainerStatus {
	s := corev1.ContainerStatus{
		Name: name, RestartCount: n, Image: "docker.io/library/busybox:latest", Started: new(false),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "back-off 20s restarting failed container"}},
	}
	if n > 0 {
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: At(9, 0), FinishedAt: ended, ContainerID: "podd://" + name + "-0"}
	}
	return s
}

// Event returns a warning about a pod, seen n times, last two hours ago.
func Event(pod *corev1.Pod, reason, message string, n int32) corev1.Event {
	return corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name + ".17" + reason},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{app}"},
		Type:           corev1.EventTypeWarning, Reason: reason, Message: message, Count: n,
		FirstTimestamp: Ago(3 * time.Hour), LastTimestamp: Ago(2 * time.Hour),
		Source: corev1.EventSource{Component: "podd", Host: "board"},
	}
}

// RichPod has something in every part that describe prints.
func RichPod() *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	port := intstr.FromInt32(8080)
	return Pod("rich", func(p *corev1.Pod) {
		p.Namespace = "rich"
		p.Labels = map[string]string{"app": "rich", "tier": "front"}
		p.Annotations = map[string]string{"note": "one", "two": "2"}
		p.Spec.Priority = new(int32(1000))
		p.Spec.PriorityClassName = "high"
		p.Spec.NodeSelector = map[string]string{"disk": "ssd"}
		p.Spec.Tolerations = []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))}, {Key: "a", Value: "b"}}
		p.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.org/ready"}}
		p.Spec.InitContainers = []corev1.Container{
			{Name: "setup", Image: "busybox", Command: []string{"sh", "-c"}, Args: []string{"echo hello\nexit 0"}},
			{Name: "side", Image: "busybox", RestartPolicy: &always},
		}
		p.Spec.Containers = []corev1.Container{richContainer(port), {Name: "crash", Image: "busybox"}}
		p.Spec.Volumes = richVolumes()
		setup := Running("setup")
		setup.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: At(9, 0), FinishedAt: At(9, 1)}}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{setup, Running("side")}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{Running("app"), Waiting("crash", "CrashLoopBackOff", 3, At(10, 30))}
		p.Status.QOSClass = corev1.PodQOSBurstable
	})
}

func richContainer(port intstr.IntOrString) corev1.Container {
	return corev1.Container{
		Name: "app", Image: "busybox",
		Command:      []string{"httpd", "-f"},
		Ports:        []corev1.ContainerPort{{ContainerPort: 8080, Protocol: corev1.ProtocolTCP, HostPort: 80}, {Name: "m", ContainerPort: 9090, Protocol: corev1.ProtocolUDP}},
		Resources:    corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("64Mi"), "cpu": resource.MustParse("500m")}, Requests: corev1.ResourceList{"memory": resource.MustParse("32Mi")}},
		VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}, {Name: "conf", MountPath: "/etc/app", ReadOnly: true, SubPath: "app"}},
		Env: []corev1.EnvVar{
			{Name: "A", Value: "1"},
			{Name: "LINES", Value: "x\ny"},
			{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "spec.nodeName"}}},
			{Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
			{Name: "MEM", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
			{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}},
			{Name: "CM", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}, Key: "k", Optional: new(true)}}},
		},
		EnvFrom: []corev1.EnvFromSource{
			{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "all"}}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "hidden"}, Optional: new(true)}},
		},
		LivenessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: port, Scheme: "HTTP"}}, TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3},
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", "/ready"}}}, InitialDelaySeconds: 5, TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3},
		StartupProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: port}}, TimeoutSeconds: 1, PeriodSeconds: 1, SuccessThreshold: 1, FailureThreshold: 30},
	}
}

func richVolumes() []corev1.Volume {
	return []corev1.Volume{
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: "Memory", SizeLimit: new(resource.MustParse("16Mi"))}}},
		{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv", Type: new(corev1.HostPathDirectory)}}},
		{Name: "conf", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}},
		{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s", Optional: new(true)}}},
		{Name: "down", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}}},
		{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{DownwardAPI: &corev1.DownwardAPIProjection{}},
		}}}},
		{Name: "claim", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		{Name: "share", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nas", Path: "/export"}}},
	}
}

// Refused returns what stands for a manifest that no pod runs from.
func Refused(name, message string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("refused:" + name), CreationTimestamp: Ago(0)},
		Status:     corev1.PodStatus{Phase: corev1.PodPending, Reason: "InvalidManifest", Message: message},
	}
}
