package images

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"podd/images/fault"
	"podd/images/imagetest"
)

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
	if !errors.Is(err, fault.ErrPlatform) || !strings.Contains(err.Error(), "linux/arm/v6") || !strings.Contains(err.Error(), "--platform linux/s390x") {
		t.Errorf("no image for s390x: %v", err)
	}
	if _, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{Platform: "arm64"}); err != nil {
		t.Errorf("asked for arm64: %v", err)
	}
	_, err = s.Load(context.Background(), bytes.NewReader(data), LoadOptions{Platform: "riscv64"})
	if !errors.Is(err, fault.ErrPlatform) || !strings.Contains(err.Error(), "riscv64 was asked for") || strings.Contains(err.Error(), "this machine") {
		t.Errorf("asked for riscv64: %v", err)
	}
}

func TestDockerArchiveOfAnotherPlatform(t *testing.T) {
	s := openStore(t, Options{Platform: "linux/arm64"})
	_, err := s.Load(context.Background(), bytes.NewReader(dockerArchive(t, forPlatform("amd64", ""))), LoadOptions{})
	if !errors.Is(err, fault.ErrPlatform) || !strings.Contains(err.Error(), "linux/amd64") {
		t.Fatalf("error is %v", err)
	}
	imgs := loadBytes(t, s, dockerArchive(t, forPlatform("arm", "v7")))
	if len(imgs) != 1 || imgs[0].Platform != "linux/arm/v7" {
		t.Fatalf("a 32-bit image: %+v", imgs)
	}
}
