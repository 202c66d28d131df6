package probe

import "context"

// TCP is a tcpSocket probe: it succeeds once the connection stands.
func TCP(ctx context.Context, t Target) (Result, string) {
	if err := t.Connect(ctx); err != nil {
		return Failure, err.Error()
	}
	return Success, ""
}

// Connect makes a connection, and closes it.
func (t Target) Connect(ctx context.Context) error {
	c, err := t.dial(ctx)
	if err != nil {
		return err
	}
	return c.Close()
}
