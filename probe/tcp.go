package probe

import "context"

// TCP is a tcpSocket probe: it succeeds once the connection stands.
func TCP(ctx context.Context, t Target) (Result, string) {
	c, err := t.dial(ctx)
	if err != nil {
		return Failure, err.Error()
	}
	_ = c.Close()
	return Success, ""
}
