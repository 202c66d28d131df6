package logs

// Stream is one of the two outputs of a container.
type Stream int

// The streams of a container.
const (
	Stdout Stream = iota
	Stderr
	streams = 2
)

// String is the stream's name in the CRI format.
func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}
