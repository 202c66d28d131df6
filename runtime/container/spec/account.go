package spec

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxID is the last user or group ID. The kernel's have 32 bits, the highest value meaning "none" (man 2 setresuid);
// libcontainer's are an int.
const maxID = min(1<<32-2, math.MaxInt)

// checkID refuses what would become another ID on its way to the kernel: 4294967296 is 0 there.
func checkID(what string, id int64) (int, error) {
	if id < 0 || id > maxID {
		return 0, fmt.Errorf("%s %d cannot be used: an ID is a number from 0 to %d", what, id, int64(maxID))
	}
	return int(id), nil
}

// parseID is checkID of digits.
func parseID(what, text string) (int, error) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && isNumber(text) {
		return checkID(what, id)
	}
	return 0, fmt.Errorf("%s %q cannot be used: an ID is a number from 0 to %d", what, text, int64(maxID))
}

// isNumber tells IDs from names, however large they are.
func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// account is a user as the image knows it.
type account struct {
	uid, gid int
	groups   []int // of which the image's /etc/group says that it is a member
}

// lookupAccount finds USER[:GROUP], each a name or a number. A number is never looked for among the names, as a CRI runtime
// has it: an image could call its root 1000. One that the image does not know has the group 0.
func lookupAccount(spec, root string) (account, error) {
	userPart, groupPart, hasGroup := strings.Cut(spec, ":")
	if userPart == "" {
		userPart = "0"
	}
	if hasGroup && groupPart == "" {
		return account{}, fmt.Errorf("user %q of the image has no group after the colon", spec)
	}
	name, a, err := lookupUser(userPart, root)
	if err != nil {
		return account{}, err
	}
	if !hasGroup && name == "" {
		return a, nil
	}
	groupID := -1
	if isNumber(groupPart) {
		if groupID, err = parseID("group", groupPart); err != nil {
			return account{}, err
		}
	}
	err = eachLine(root, "etc/group", func(fields []string) error {
		chosen := hasGroup && groupID < 0 && fields[0] == groupPart
		member := name != "" && slices.Contains(strings.Split(field(fields, 3), ","), name)
		if !chosen && !member {
			return nil
		}
		gid, err := parseID(fmt.Sprintf("the ID of group %q in /etc/group of the image", fields[0]), field(fields, 2))
		if err != nil {
			return err
		}
		if chosen {
			groupID = gid
		}
		if member {
			a.groups = append(a.groups, gid)
		}
		return nil
	})
	switch {
	case err != nil:
		return account{}, err
	case hasGroup && groupID < 0:
		return account{}, fmt.Errorf("cannot find group %q in /etc/group of the image", groupPart)
	case hasGroup:
		a.gid = groupID
	}
	return a, nil
}

// lookupUser finds a user by its name or number, and its name; "": the image does not have it.
func lookupUser(who, root string) (name string, a account, err error) {
	byNumber := isNumber(who)
	if byNumber {
		if a.uid, err = parseID("user", who); err != nil {
			return "", account{}, err
		}
	}
	found := false
	err = eachLine(root, "etc/passwd", func(fields []string) error {
		uid, uidErr := parseID(fmt.Sprintf("the ID of user %q in /etc/passwd of the image", fields[0]), field(fields, 2))
		switch {
		case found, byNumber && (uidErr != nil || uid != a.uid), !byNumber && fields[0] != who:
			return nil
		case uidErr != nil:
			return uidErr
		}
		gid, err := parseID(fmt.Sprintf("the group of user %q in /etc/passwd of the image", fields[0]), field(fields, 3))
		if err != nil {
			return err
		}
		found, name, a = true, fields[0], account{uid: uid, gid: gid}
		return nil
	})
	if err == nil && !found && !byNumber {
		err = fmt.Errorf("cannot find user %q in /etc/passwd of the image", who)
	}
	return name, a, err
}

// maxAccounts is how large a file of accounts may be: a container writes its own.
const maxAccounts = 1 << 20

// eachLine calls fn with the fields of each line of a file of the image; one that is not there has none.
func eachLine(root, path string, fn func(fields []string) error) error {
	f, err := openInRoot(root, path)
	if err != nil || f == nil {
		return err
	}
	defer closeFile(f)
	text, err := readAccounts(f)
	if err != nil {
		return fmt.Errorf("cannot read /%s of the image: %w", path, err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := fn(strings.Split(line, ":")); err != nil {
			return err
		}
	}
	return nil
}

// readAccounts never returns a part: a line that is cut off has other numbers.
func readAccounts(f *os.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxAccounts+1))
	if err == nil && len(text) > maxAccounts {
		err = fmt.Errorf("it is larger than %d bytes", maxAccounts)
	}
	return text, err
}

// field is "" where a line is too short.
func field(fields []string, i int) string {
	if i < len(fields) {
		return fields[i]
	}
	return ""
}
