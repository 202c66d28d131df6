// Package machine boots virtual machines under qemu and works them through an agent inside. It knows nothing of podd.
package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"podd/test/vm/wire"
)

// Options say what a machine is made of.
type Options struct {
	Guest    *Guest
	Data     string // the data disk, shared between machines
	Kernel   string // "stable" unless said otherwise
	Append   string // further words of the kernel's command line
	MemoryMB int    // 1024 unless said otherwise
	CPUs     int    // 2 unless said otherwise
	Clock    string // the date that each boot begins with, "1970-01-01"; "": today
	USB      bool   // it has a controller of USB, "xhci"
}

// Machine is one virtual machine: a disk of its own over the guest's, and the qemu that runs it at the moment.
type Machine struct {
	Options
	dir string
	// of an image that boots by itself; "" takes the guest's kernel
	firmware string
	qemu     *exec.Cmd
	ended    chan struct{} // closed when qemu has ended
	agent    *agent
}

// New makes a machine that is switched off. dir is its own; it is left behind when the machine is closed.
func New(dir string, o Options) (*Machine, error) {
	if o.Kernel == "" {
		o.Kernel = "stable"
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 1024
	}
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	m := &Machine{Options: o, dir: dir}
	command := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", o.Guest.file("root.ext4"), m.file("root.qcow2"))
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot make a disk: %w\n%s", err, out)
	}
	return m, nil
}

func (m *Machine) file(name string) string { return filepath.Join(m.dir, name) }

// Console is all that the machine has written to its serial line, over all boots.
func (m *Machine) Console() string {
	data, _ := os.ReadFile(m.file("console"))
	return string(data)
}

// Boot switches the machine on and waits until the agent in it speaks.
func (m *Machine) Boot(limit time.Duration) error {
	socket := m.file("agent.sock")
	_ = os.Remove(socket)
	listen, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer listen.Close()
	log, err := os.OpenFile(m.file("qemu.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	argv := append(m.processor(), m.devices(socket)...)
	m.qemu = exec.Command("nice", append([]string{"-n", "5"}, argv...)...)
	m.qemu.Stdout, m.qemu.Stderr = log, log
	m.qemu.SysProcAttr = endWithParent()
	if err := m.qemu.Start(); err != nil {
		return err
	}
	m.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan struct{}) { _ = command.Wait(); close(ended) }(m.qemu, m.ended)
	connection, err := accept(listen, m.ended, limit)
	if err != nil {
		m.Cut()
		return fmt.Errorf("qemu does not run: %w\n%s", err, m.qemuLog())
	}
	m.agent = newAgent(connection)
	select {
	case <-m.agent.booted:
		return nil
	case <-m.ended:
		return fmt.Errorf("the machine ended while it booted\n%s\n%s", m.qemuLog(), tail(m.Console()))
	case <-time.After(limit):
		m.Cut()
		return fmt.Errorf("the machine did not boot within %s; its console:\n%s", limit, tail(m.Console()))
	}
}

func (m *Machine) qemuLog() string {
	data, _ := os.ReadFile(m.file("qemu.log"))
	return string(data)
}

func tail(text string) string {
	if len(text) > 6000 {
		return "…" + text[len(text)-6000:]
	}
	return text
}

// accept waits for qemu itself, not for what runs in it.
func accept(listen net.Listener, ended <-chan struct{}, limit time.Duration) (net.Conn, error) {
	type result struct {
		connection net.Conn
		err        error
	}
	results := make(chan result, 1)
	go func() {
		connection, err := listen.Accept()
		results <- result{connection, err}
	}()
	select {
	case r := <-results:
		return r.connection, r.err
	case <-ended:
		return nil, errors.New("it ended")
	case <-time.After(limit):
		return nil, fmt.Errorf("it did not connect within %s", limit)
	}
}

// processor is what the machine is.
func (m *Machine) processor() []string {
	// An old processor is quicker than a new one: what the new ones have more is emulated in software, a fifth of all there is.
	argv := []string{"qemu-system-x86_64", "-M", "q35", "-cpu", "Nehalem"}
	// The kernel's test of its timer fails on an emulator that had no processor for a moment.
	words := []string{"console=ttyS0", "no_timer_check"}
	switch m.Guest.Arch {
	case "arm64":
		argv = []string{"qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72"}
		words = []string{"console=ttyAMA0"}
	case "armhf":
		argv = []string{"qemu-system-arm", "-M", "virt,highmem=off", "-cpu", "cortex-a15"}
		words = []string{"console=ttyAMA0"}
	}
	words = append(words, "root=/dev/vda", "panic=-1", "quiet", "loglevel=4", "mitigations=off", "init_on_alloc=0", "systemd.show_status=0", m.Append)
	argv = append(argv, "-accel", "tcg,thread=multi", "-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.MemoryMB))
	if m.firmware != "" {
		return append(argv, "-bios", m.firmware)
	}
	return append(argv, "-kernel", m.Guest.file("vmlinuz-"+m.Kernel), "-initrd", m.Guest.file("initrd-"+m.Kernel+".img"),
		"-append", strings.TrimSpace(strings.Join(words, " ")))
}

// devices are what it has. A reboot ends qemu, so that each boot is one of ours; -nic none avoids an option ROM that
// Debian has in another package.
func (m *Machine) devices(socket string) []string {
	disk := func(id, file, format, more string) []string {
		return []string{
			"-drive", "if=none,id=" + id + ",file=" + file + ",format=" + format + more,
			"-device", "virtio-blk-pci,drive=" + id,
		}
	}
	argv := append(
		disk("root", m.file("root.qcow2"), "qcow2", ""),
		disk("data", m.Data, "raw", ",readonly=on")...,
	)
	if m.Clock != "" {
		argv = append(argv, "-rtc", "base="+m.Clock)
	}
	if m.USB {
		argv = append(argv, "-device", "qemu-xhci,id=xhci")
	}
	return append(argv, "-qmp", "unix:"+m.file("qmp.sock")+",server=on,wait=off", "-nodefaults", "-display", "none", "-nic", "none", "-no-reboot",
		"-chardev", "file,id=console,append=on,path="+m.file("console"), "-serial", "chardev:console",
		"-chardev", "socket,id=agent,path="+socket,
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name="+wire.Port,
		"-device", "virtio-rng-pci",
	)
}

// Cut takes the power away.
func (m *Machine) Cut() {
	if m.qemu == nil {
		return
	}
	_ = m.qemu.Process.Kill()
	<-m.ended
	m.qemu = nil
}

// Ended waits until the machine has switched itself off or asks for a reboot.
func (m *Machine) Ended(limit time.Duration) error {
	select {
	case <-m.ended:
		m.qemu = nil
		return nil
	case <-time.After(limit):
		return fmt.Errorf("the machine still runs after %s; its console:\n%s", limit, tail(m.Console()))
	}
}

// Reboot asks systemd for one and waits until the machine is up again.
func (m *Machine) Reboot(limit time.Duration) error {
	if r := m.Run(Command{Argv: []string{"systemctl", "reboot"}, Limit: limit}); r.Err != nil && !errors.Is(r.Err, errOff) {
		return r.Err
	}
	if err := m.Ended(limit); err != nil {
		return err
	}
	return m.Boot(limit)
}
