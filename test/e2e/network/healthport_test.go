package network

import (
	"encoding/json"
	"fmt"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// A load balancer before several boards asks each whether a Service is there. It hears of ready pods only, and of nothing
// once its Service is for all boards alike.
//
// e2e: Services :: should implement NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes
// e2e: Services :: should fail health check node port if there are only terminating endpoints
func TestHealthCheckNodePort(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	of := func(policy string) string {
		return harness.ServiceOf("web", "type: LoadBalancer", "externalTrafficPolicy: "+policy, "selector: {app: web}", bothProtocols)
	}
	b.MustDrop("svc", of("Local"))
	b.MustDrop("web", lingering("web", "web"))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	port := b.Service("web").Spec.HealthCheckNodePort
	says := func(code, endpoints int) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			response, err := b.HTTPFrom().Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
			if err != nil {
				return false, err
			}
			defer response.Body.Close()
			var body struct{ LocalEndpoints int }
			err = json.NewDecoder(response.Body).Decode(&body)
			return response.StatusCode == code && body.LocalEndpoints == endpoints, fmt.Errorf("%s, %d endpoints: %w", response.Status, body.LocalEndpoints, err)
		}))
	}
	says(200, 1)
	b.MustKill9()
	b.MustStart()
	if now := b.Service("web").Spec.HealthCheckNodePort; now != port {
		t.Errorf("the port was %d and is %d", port, now)
	}
	says(200, 1)
	b.MustRemove("web")
	says(503, 0)
	reachedBy(b, b.Netns(), "tcp", gateway(b)+":"+nodePort(b, "web", "t"), "web")
	b.MustDrop("svc", of("Cluster"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		response, err := b.HTTPFrom().Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err == nil {
			response.Body.Close()
		}
		return err != nil, fmt.Errorf("port %d is still there", port)
	}))
	b.Sh("web", "main", "touch /end")
	b.Gone("web")
}
