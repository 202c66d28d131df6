package config

import (
	"fmt"
	"log/slog"
)

// LoggingConfig is how podd itself logs.
type LoggingConfig struct {
	Format string `json:"format"` // text or json
	Level  string `json:"level"`  // debug, info, warn or error
}

func (l *LoggingConfig) check() error {
	if l.Format != "text" && l.Format != "json" {
		return fmt.Errorf("logging format must be text or json, not %q", l.Format)
	}
	if _, err := ParseLevel(l.Level); err != nil {
		return err
	}
	return nil
}

// ParseLevel reads logging.level.
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("logging level must be debug, info, warn or error, not %q", s)
}
