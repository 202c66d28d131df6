package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Codes of gRPC that are told apart. https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const (
	codeOK            = 0
	codeDeadline      = 4
	codeUnimplemented = 12
)

// codeNames are those that Go's gRPC prints, so that events read as a kubelet's.
const codeNames = "OK\x00Canceled\x00Unknown\x00InvalidArgument\x00DeadlineExceeded\x00NotFound\x00AlreadyExists\x00PermissionDenied\x00" +
	"ResourceExhausted\x00FailedPrecondition\x00Aborted\x00OutOfRange\x00Unimplemented\x00Internal\x00Unavailable\x00DataLoss\x00Unauthenticated"

// GRPC asks the health service of a server. The texts are the kubelet's.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md
// A secure connection is one whose certificate nobody looks at.
func GRPC(ctx context.Context, t Target, service string, secure bool) (Result, string) {
	began := time.Now()
	c, err := t.dial(ctx)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return Failure, fmt.Sprintf("timeout: failed to connect service %q within %v: %v", t, allowed(ctx, began), context.DeadlineExceeded)
		}
		return Failure, fmt.Sprintf("error: failed to connect service at %q: %v", t, err)
	}
	defer func() { _ = c.Close() }()
	var stream io.ReadWriter = c
	scheme := "http"
	if secure {
		config := tlsConfig(t.Host)
		config.NextProtos = []string{"h2"}
		stream, scheme = tls.Client(c, config), "https"
	}
	r, err := checkHealth(stream, scheme, t.String(), service)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), err == nil && r.code == codeDeadline:
		return Failure, fmt.Sprintf("timeout: health rpc did not complete within %v", allowed(ctx, began))
	case err != nil:
		return Failure, fmt.Sprintf("error: health rpc probe failed: %v", err)
	case r.code == codeUnimplemented:
		return Failure, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " + r.message
	case r.code != codeOK:
		return Failure, fmt.Sprintf("error: health rpc probe failed: rpc error: code = %s desc = %s", codeName(r.code), r.message)
	case r.serving != serving:
		return Failure, fmt.Sprintf("service unhealthy (responded with %q)", servingName(r.serving))
	}
	return Success, "service healthy"
}

// allowed is how long the probe was to last at most.
func allowed(ctx context.Context, began time.Time) time.Duration {
	deadline, _ := ctx.Deadline()
	return deadline.Sub(began).Round(time.Second)
}

func codeName(code int) string {
	names := splitNames(codeNames)
	if code < len(names) {
		return names[code]
	}
	return "Code(" + strconv.Itoa(code) + ")"
}

func servingName(status int) string {
	names := splitNames("UNKNOWN\x00SERVING\x00NOT_SERVING\x00SERVICE_UNKNOWN")
	if status < len(names) {
		return names[status]
	}
	return strconv.Itoa(status)
}

// unescaped undoes the percent-encoding of grpc-message.
func unescaped(message string) string {
	if s, err := url.PathUnescape(message); err == nil {
		return s
	}
	return message
}

func splitNames(names string) []string { return strings.Split(names, "\x00") }
