package devicerules

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	devices "github.com/opencontainers/cgroups/devices/config"
	"golang.org/x/sys/unix"
)

// runProgram interprets the few instructions that a device program has.
func runProgram(prog []bpfInstruction, context [3]uint32) (answer uint64, err error) {
	var reg [6]uint64
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		jump := false
		switch in.code {
		case 0x61:
			reg[in.dst] = uint64(context[in.off/4])
		case 0xb4:
			reg[in.dst] = uint64(uint32(in.imm))
		case 0xbc:
			reg[in.dst] = uint64(uint32(reg[in.src]))
		case 0x54:
			reg[in.dst] = uint64(uint32(reg[in.dst]) & uint32(in.imm))
		case 0x74:
			reg[in.dst] = uint64(uint32(reg[in.dst]) >> uint32(in.imm))
		case 0x15:
			jump = reg[in.dst] == uint64(int64(in.imm))
		case 0x55:
			jump = reg[in.dst] != uint64(int64(in.imm))
		case 0x95:
			return reg[0], nil
		default:
			return 0, fmt.Errorf("instruction %d has the code %#x", pc, in.code)
		}
		if jump {
			pc += int(in.off)
		}
	}
	return 0, fmt.Errorf("no exit")
}

func TestDeviceProgramMeansTheList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 15))
	for range 3000 {
		list := randomRules(rnd)
		policy, err := parseDeviceRules(list)
		if err != nil {
			t.Fatal(err)
		}
		prog := deviceProgram(policy)
		eachAccess(func(kind devices.Type, major, minor int64, access uint8) {
			device := uint32(unix.BPF_DEVCG_DEV_CHAR)
			if kind == devices.BlockDevice {
				device = unix.BPF_DEVCG_DEV_BLOCK
			}
			got, err := runProgram(prog, [3]uint32{uint32(access)<<16 | device, uint32(major), uint32(minor)})
			if want := allowedByList(list, kind, major, minor, access); err != nil || (got == 1) != want {
				t.Fatalf("%c %d:%d access %d: answer %d, %v, want allowed %v\n%s", kind, major, minor, access, got, err, want, showRules(list))
			}
		})
	}
}

func showRules(list []*devices.Rule) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s allow=%v\n", r.CgroupString(), r.Allow)
	}
	return b.String()
}

func showProgram(prog []bpfInstruction) string {
	var b strings.Builder
	for _, in := range prog {
		fmt.Fprintf(&b, "%02x r%d r%d %+d %d\n", in.code, in.dst, in.src, in.off, in.imm)
	}
	return b.String()
}

func TestDeviceProgramGolden(t *testing.T) {
	const head = "61 r2 r1 +0 0\nbc r3 r2 +0 0\n54 r2 r0 +0 65535\n74 r3 r0 +0 16\n61 r4 r1 +4 0\n61 r5 r1 +8 0\n"
	const deny, allow = "b4 r0 r0 +0 0\n95 r0 r0 +0 0\n", "b4 r0 r0 +0 1\n95 r0 r0 +0 0\n"
	for _, c := range []struct {
		name  string
		rules []*devices.Rule
		want  string
	}{
		{"nothing", nil, deny},
		{"everything", []*devices.Rule{rule("a", -1, -1, "rwm", true)}, allow},
		{
			"one device",
			[]*devices.Rule{rule("c", 1, 3, "rwm", true)},
			"55 r2 r0 +4 2\n55 r4 r0 +3 1\n55 r5 r0 +2 3\n" + allow + deny,
		},
		{
			"one access",
			[]*devices.Rule{rule("b", -1, -1, "m", true)},
			"55 r2 r0 +4 1\n54 r3 r0 +0 -2\n55 r3 r0 +2 0\n" + allow + deny,
		},
		{
			"all but one's writes",
			[]*devices.Rule{rule("a", -1, -1, "rwm", true), rule("b", 8, -1, "w", false)},
			"55 r2 r0 +6 1\n55 r4 r0 +5 8\nbc r0 r3 +0 0\n54 r0 r0 +0 4\n15 r0 r0 +2 0\n" + deny + allow,
		},
	} {
		policy, err := parseDeviceRules(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := showProgram(deviceProgram(policy)); got != head+c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, head+c.want)
		}
	}
}

func TestEncodeProgram(t *testing.T) {
	prog := []bpfInstruction{{code: 0x61, dst: 4, src: 1, off: 4}, {code: 0x54, dst: 3, imm: -2}, {code: 0x55, dst: 2, off: 0x102, imm: 0x1234}}
	for _, c := range []struct {
		order binary.AppendByteOrder
		want  string
	}{
		{binary.LittleEndian, "6114040000000000" + "54030000feffffff" + "5502020134120000"},
		{binary.BigEndian, "6141000400000000" + "54300000fffffffe" + "5520010200001234"},
	} {
		if got := hex.EncodeToString(encodeProgram(prog, c.order)); got != c.want {
			t.Errorf("%v: %s, want %s", c.order, got, c.want)
		}
	}
	native := encodeProgram(prog, binary.NativeEndian)
	if want := encodeProgram(prog, binary.LittleEndian); binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && string(native) != string(want) {
		t.Errorf("native: %x, want %x", native, want)
	}
}
