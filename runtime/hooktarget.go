package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// hookTarget is where the hooks of a container reach it over the network.
type hookTarget struct {
	ip    string
	ports []corev1.ContainerPort
}

func (r *Runtime) hookTarget(rec *Record, spec *corev1.Container) hookTarget {
	t := hookTarget{ip: rec.Sandbox.IP, ports: spec.Ports}
	if rec.Object.Spec.HostNetwork {
		t.ip = "127.0.0.1"
	}
	return t
}

// address is the host and port of a hook. Without a host it is the pod's own address.
func (t hookTarget) address(host string, port intstr.IntOrString) (string, error) {
	if host == "" {
		host = t.ip
	}
	number := port.IntValue()
	if port.Type == intstr.String {
		number = 0
		for _, p := range t.ports {
			if p.Name == port.StrVal {
				number = int(p.ContainerPort)
			}
		}
		if number == 0 {
			n, err := strconv.Atoi(port.StrVal)
			if err != nil {
				return "", fmt.Errorf("couldn't find port: %v", port)
			}
			number = n
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(number)), nil
}

// connect is the tcpSocket hook: it has succeeded once the connection stands.
func (t hookTarget) connect(ctx context.Context, a *corev1.TCPSocketAction) error {
	address, err := t.address(a.Host, a.Port)
	if err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (t hookTarget) get(context.Context, *corev1.HTTPGetAction) error {
	return errors.New("podd does not run HTTP hooks yet")
}
