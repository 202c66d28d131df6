package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stat is what /proc/PID/stat says of a process. man 5 proc_pid_stat
type Stat struct {
	State     byte
	Parent    int
	session   int
	Name      string
	Flags     uint64
	startTime uint64
	exitCode  uint32
}

// ReadStat reads the status of a process below proc, the place of /proc.
func ReadStat(proc string, pid int) (Stat, error) {
	data, err := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, err
	}
	return parseStat(string(data))
}

func parseStat(line string) (Stat, error) {
	// The command's name may hold spaces and brackets: what counts comes after the last bracket.
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	const first, state, parent, session, flags, start, exit = 3, 3, 4, 6, 9, 22, 52
	if end < 0 || len(fields) <= exit-first {
		return Stat{}, fmt.Errorf("cannot parse process status %q", line)
	}
	startTime, err := strconv.ParseUint(fields[start-first], 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("cannot parse start time: %w", err)
	}
	ppid, err := strconv.Atoi(fields[parent-first])
	if err != nil {
		return Stat{}, fmt.Errorf("cannot parse parent: %w", err)
	}
	sid, err := strconv.Atoi(fields[session-first])
	if err != nil {
		return Stat{}, fmt.Errorf("cannot parse session: %w", err)
	}
	bits, err := strconv.ParseUint(fields[flags-first], 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("cannot parse flags: %w", err)
	}
	code, err := strconv.ParseUint(fields[exit-first], 10, 32)
	if err != nil {
		return Stat{}, fmt.Errorf("cannot parse exit status: %w", err)
	}
	return Stat{Name: line[strings.IndexByte(line, '(')+1 : end], State: fields[state-first][0], Parent: ppid, session: sid, Flags: bits, startTime: startTime, exitCode: uint32(code)}, nil
}
