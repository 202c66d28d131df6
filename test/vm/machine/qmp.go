package machine

import (
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// qmpLimit is how long qemu may take for an answer.
const qmpLimit = 30 * time.Second

// QMP has qemu do something with the machine: plug in a device, pull it out. https://www.qemu.org/docs/master/interop/qmp-spec.html
func (m *Machine) QMP(command string, arguments map[string]any) error {
	connection, err := net.Dial("unix", m.file("qmp.sock"))
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(qmpLimit)); err != nil {
		return err
	}
	in, out := json.NewDecoder(connection), json.NewEncoder(connection)
	var greeting json.RawMessage
	if err := in.Decode(&greeting); err != nil {
		return fmt.Errorf("qemu does not greet: %w", err)
	}
	for _, request := range []map[string]any{{"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}} {
		if err := out.Encode(request); err != nil {
			return err
		}
		for answered := false; !answered; {
			var reply struct {
				Return json.RawMessage
				Error  *struct{ Desc string }
			}
			if err := in.Decode(&reply); err != nil {
				return fmt.Errorf("qemu does not answer %s: %w", command, err)
			}
			if reply.Error != nil {
				return fmt.Errorf("qemu refuses %s: %s", command, reply.Error.Desc)
			}
			answered = reply.Return != nil // and not an event
		}
	}
	return nil
}
