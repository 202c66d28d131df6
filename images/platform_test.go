package images

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"podd/images/imagetest"
)

func TestPlatformRank(t *testing.T) {
	for _, c := range []struct {
		own  string
		best []string // better first
		not  []string
	}{
		{"linux/amd64", []string{"linux/amd64", "linux/386"}, []string{"linux/arm64", "windows/amd64", "linux/amd64/v3", "unknown/unknown"}},
		{"linux/arm64", []string{"linux/arm64/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}, []string{"linux/amd64"}},
		{"linux/arm/v7", []string{"linux/arm/v7", "linux/arm/v6", "linux/arm/v5"}, []string{"linux/arm64", "linux/arm/v8", "linux/arm/v9"}},
		{"linux/arm/v6", []string{"linux/arm/v6", "linux/arm/v5"}, []string{"linux/arm/v7", "linux/arm"}},
		{"linux/riscv64", []string{"linux/riscv64"}, []string{"linux/amd64"}},
	} {
		own := must(t, func() (platform, error) { return parsePlatform(c.own) })
		last := -1
		for _, s := range c.best {
			r := own.rank(must(t, func() (platform, error) { return parsePlatform(s) }))
			if r <= last {
				t.Errorf("%s on %s has the rank %d after %d", s, c.own, r, last)
			}
			last = r
		}
		for _, s := range c.not {
			if r := own.rank(must(t, func() (platform, error) { return parsePlatform(s) })); r >= 0 {
				t.Errorf("%s on %s has the rank %d", s, c.own, r)
			}
		}
	}
}

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"arm64": "linux/arm64", "linux/arm64/v8": "linux/arm64", "linux/arm": "linux/arm/v7", "linux/aarch64": "linux/arm64",
		"linux/x86_64": "linux/amd64", "linux/armhf": "linux/arm/v7", "linux/armel": "linux/arm/v6",
	} {
		if p, err := parsePlatform(in); err != nil || p.String() != want {
			t.Errorf("parsePlatform(%q) = %s, %v; want %s", in, p, err, want)
		}
	}
	for _, bad := range []string{"", "/", "linux/", "a/b/c/d"} {
		if p, err := parsePlatform(bad); !errors.Is(err, ErrPlatform) {
			t.Errorf("parsePlatform(%q) = %s, %v", bad, p, err)
		}
	}
}

func TestArmVariant(t *testing.T) {
	for machine, want := range map[string]string{"armv6l": "v6", "armv7l": "v7", "armv5tel": "v5", "aarch64": "v7", "armv8l": "v7"} {
		if got := armVariant(machine); got != want {
			t.Errorf("%s is %s, want %s", machine, got, want)
		}
	}
}

func forPlatform(arch, variant string) imagetest.Image {
	i := hello("multi", arch+variant)
	i.Architecture, i.Variant, i.Compress = arch, variant, "gzip"
	return i
}

func TestIndexOfSeveralPlatforms(t *testing.T) {
	data := ociArchive(t, forPlatform("amd64", ""), forPlatform("arm", "v6"), forPlatform("arm", "v7"), forPlatform("arm64", "v8"))
	for own, want := range map[string]imagetest.Image{
		"linux/amd64": forPlatform("amd64", ""), "linux/arm64": forPlatform("arm64", "v8"),
		"linux/arm/v7": forPlatform("arm", "v7"), "linux/arm/v6": forPlatform("arm", "v6"),
	} {
		s := openStore(t, Options{Platform: own})
		imgs := loadBytes(t, s, data)
		if len(imgs) != 1 || imgs[0].ID != must(t, want.ID) {
			t.Errorf("%s took %+v", own, imgs)
			continue
		}
		if got := leftovers(t, s, "l", "tmp"); len(got) != 2 {
			t.Errorf("%s keeps layers of others: %v", own, got)
		}
	}
	s := openStore(t, Options{Platform: "linux/s390x"})
	_, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{Source: "m.tar"})
	if !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), "linux/arm/v6") || !strings.Contains(err.Error(), "--platform linux/s390x") {
		t.Errorf("no image for s390x: %v", err)
	}
	if _, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{Platform: "arm64"}); err != nil {
		t.Errorf("asked for arm64: %v", err)
	}
}

func TestDockerArchiveOfAnotherPlatform(t *testing.T) {
	s := openStore(t, Options{Platform: "linux/arm64"})
	_, err := s.Load(context.Background(), bytes.NewReader(dockerArchive(t, forPlatform("amd64", ""))), LoadOptions{})
	if !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), "linux/amd64") {
		t.Fatalf("error is %v", err)
	}
	imgs := loadBytes(t, s, dockerArchive(t, forPlatform("arm", "v7")))
	if len(imgs) != 1 || imgs[0].Platform != "linux/arm/v7" {
		t.Fatalf("a 32-bit image: %+v", imgs)
	}
}
