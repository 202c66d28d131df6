package trust

import (
	"errors"
	"strings"

	"podd/images/reference"
)

// dockerTransport is how containers call registries. podd looks an image up by its name there, wherever it came from: an
// archive that somebody carries to the board gets around no requirement.
const dockerTransport = "docker"

// requirements finds those of the most specific scope that an image is in.
func (p *Policy) requirements(ref reference.Reference) (scope string, list []requirement) {
	scopes := p.transports[dockerTransport]
	for _, scope := range scopesOf(ref) {
		if list, ok := scopes[scope]; ok {
			return scope, list
		}
	}
	return "default", p.fallback
}

// scopesOf lists the scopes that hold an image, the most specific first: itself, its repository, the namespaces above it, its
// registry, the wildcards of that, and the transport as a whole.
func scopesOf(ref reference.Reference) []string {
	repository := ref.Repository()
	var out []string
	if ref.Digest != "" {
		out = append(out, repository+"@"+ref.Digest)
	}
	if ref.Tag != "" {
		out = append(out, repository+":"+ref.Tag)
	}
	for at := repository; ; {
		out = append(out, at)
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			break
		}
		at = at[:i]
	}
	// A wildcard of containers has no port, and is for all of them. One with the port of the registry goes before.
	host, port, ported := strings.Cut(ref.Domain, ":")
	for {
		i := strings.IndexByte(host, '.')
		if i < 0 {
			break
		}
		host = host[i+1:]
		if ported {
			out = append(out, "*."+host+":"+port)
		}
		out = append(out, "*."+host)
	}
	return append(out, "")
}

// checkScope refuses what can match no image, lest somebody believes that it does.
func checkScope(scope string) error {
	if scope == "" {
		return nil
	}
	if strings.Contains(scope, "*") {
		host, wild := strings.CutPrefix(scope, "*.")
		if ref, err := reference.Parse("a." + host + "/a/a"); !wild || err != nil || ref.Domain != "a."+host {
			return errors.New("a wildcard stands for subdomains of a registry, as in *.example.com")
		}
		return nil
	}
	// A registry, a namespace or a repository may be followed by more; an image has a tag or a digest, and is not looked for by both.
	if ref, err := reference.Parse(scope + "/a/a"); err == nil && ref.Repository() == scope+"/a/a" {
		return nil
	}
	ref, err := reference.Parse(scope)
	if err != nil {
		return err
	}
	if ref.Tag != "" && ref.Digest != "" {
		return errors.New("an image is looked up by its tag or by its digest: leave one out")
	}
	if ref.String() != scope {
		return errors.New("it must be in full, as in docker.io/library/busybox")
	}
	return nil
}
