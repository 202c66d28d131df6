// Package wire is what a test and the agent in its virtual machine say to each other: JSON, a line each.
package wire

// Port is the name of the virtio-serial port that they speak over.
const Port = "podd.agent"

// Request asks the agent to start a command, or with Kill to end one that runs.
type Request struct {
	ID    int      `json:"id"`
	Argv  []string `json:"argv,omitempty"`
	Env   []string `json:"env,omitempty"`
	Stdin []byte   `json:"stdin,omitempty"`
	Kill  bool     `json:"kill,omitempty"`
}

// Reply is a piece of a command's output, or its end; or, with Boot, the agent's first words.
type Reply struct {
	ID     int    `json:"id,omitempty"`
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Exit   *int   `json:"exit,omitempty"`  // of a command that ended; 128 + N when signal N ended it
	Error  string `json:"error,omitempty"` // why it could not be started
	Boot   string `json:"boot,omitempty"`  // /proc/sys/kernel/random/boot_id
}
