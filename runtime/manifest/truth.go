package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// spelledTruth explains a boolean that should have been a string, if the line of the field spells it in one of the ways
// that only YAML 1.1 takes for one.
func spelledTruth(text string, line []byte) string {
	for _, value := range []string{"true", "false"} {
		before, ok := strings.CutSuffix(text, "Invalid value: "+value+": must be a string: put it in quotes")
		if !ok {
			continue
		}
		line, _, _ = bytes.Cut(line, []byte(" #"))
		for _, word := range slices.Backward(bytes.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r,{}[]:", r) })) {
			if truth(string(word)) == value {
				return fmt.Sprintf("%sInvalid value: %s: %s means %s in YAML; write %q in quotes", before, value, word, value, word)
			}
		}
	}
	return text
}

// truth tells what an unquoted word means in YAML 1.1 (yaml.org/type/bool.html), or "".
func truth(word string) string {
	switch word {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return "true"
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return "false"
	}
	return ""
}
