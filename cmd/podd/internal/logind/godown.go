package logind

import (
	"context"
	"fmt"
)

// Ways in which the machine goes down, as logind calls them.
const (
	Reboot   = "Reboot"
	PowerOff = "PowerOff"
)

// Answers says why logind cannot be asked to let the machine go down; nil: it can.
func Answers(ctx context.Context, address string) error {
	b, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("cannot reach the system bus: %w", err)
	}
	defer b.close()
	_, err = b.preparing(ctx)
	return err
}

// GoDown asks logind to let the machine go down, in one of these ways. It returns when that has begun.
func GoDown(ctx context.Context, address, way string) error {
	b, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("cannot reach the system bus: %w", err)
	}
	defer b.close()
	const interactive = false
	if err := b.call(ctx, logindName, logindPath, logindObject+"."+way, interactive).Err; err != nil {
		return fmt.Errorf("logind does not %s the machine: %w", map[string]string{Reboot: "reboot", PowerOff: "power off"}[way], err)
	}
	return nil
}
