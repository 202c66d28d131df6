package env

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"testing/quick"

	corev1 "k8s.io/api/core/v1"
)

// allOf is all that a file says; of two values of a name the first.
func allOf(text string) (map[string]string, error) {
	vars := map[string]string{}
	err := parseFile(text, func(name, value string) bool {
		if _, there := vars[name]; !there {
			vars[name] = value
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return vars, nil
}

func TestParseFile(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "map[]"},
		{"# a note\n\nA='one'\nB='two words' # why\n", "map[A:one B:two words]"},
		{"A='$(X) \\n \"'\n", `map[A:$(X) \n "]`},
		{"A='one\ntwo'\nB=''\nA='last'", "map[A:one\ntwo B:]"},
		{"A=one\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A='x'\nB =''\n", "error: line 2 is not of the form NAME='VALUE'"},
		{"A='one\n", "error: the quote that line 1 opens is not closed"},
		{"A='one\ntwo'x\n", "error: line 2 goes on after the value"},
		// rows of the kubelet's own parser (pkg/kubelet/util/env)
		{" \t KEY1='val1'\n  KEY2='val2'\n", "map[KEY1:val1 KEY2:val2]"},
		{"\n\t\n# c\n   # d\nA='x'", "map[A:x]"},
		{"A='a#b'#c\n", "map[A:a#b]"},
		{"A='  x  '\n", "map[A:  x  ]"},
		{"A='a=b=c'\n", "map[A:a=b=c]"},
		{"A='${B} $B $(B)'\n", "map[A:${B} $B $(B)]"},
		{"A='a\\'\nB='ü☺'", "map[A:a\\ B:ü☺]"},
		{"A='1\n\n 2 \n# no comment\n'\nB='3'\n", "map[A:1\n\n 2 \n# no comment\n B:3]"},
		{"='x'\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A ='x'\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A=\"x\"\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"\n\nA\n", "error: line 3 is not of the form NAME='VALUE'"},
		{"export A='x'\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A= 'x'\nB=\t\nC='z'\n", "map[A: B: C:z]"},
		{"A=\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A='x''y'\n", "error: line 1 goes on after the value"},
		{"A='x' B='y'\n", "error: line 1 goes on after the value"},
		{"A='1\n2\n3'\nB='\n", "error: the quote that line 4 opens is not closed"},
	}
	for _, tt := range tests {
		vars, err := allOf(tt.text)
		got := fmt.Sprint(vars)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%q\ngot  %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// A variable of a file, and what becomes of one that is not there. KEP-3721
func TestFileKey(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	files := map[string]string{
		"good": "A='one'\nB=''\n", "bad": "A=one\n", "twice": "A='one'\nA='two'\nB=\"three\"\n", "windows": "A='one\r\ntwo'\r\nB='x'\r\n",
		"full": "A='" + strings.Repeat("x", MaxFile-5) + "'\n", "over": "A='" + strings.Repeat("x", MaxFile-4) + "'\n",
	}
	source := &Source{Pod: &corev1.Pod{}, File: func(volume, path string) ([]byte, error) {
		if text, ok := files[path]; ok && volume == "v" {
			return []byte(text), nil
		}
		if path == "unreadable" {
			return nil, errors.New("cannot read it")
		}
		return nil, NotFound("file", path)
	}}
	for _, tc := range []struct {
		name, path, key string
		optional        *bool
		want            string
	}{
		{"a value", "good", "A", nil, "V=one"},
		{"an empty value is one", "good", "B", nil, "V="},
		{"a key that is missing", "good", "C", nil, `error: environment variable key "C" not found in file "good"`},
		{"and need not be there", "good", "C", &yes, ""},
		{"and need be there", "good", "C", &no, `error: environment variable key "C" not found in file "good"`},
		{"a file that is missing", "gone", "A", nil, `error: file "gone" not found`},
		{"and need not be there", "gone", "A", &yes, ""},
		{"a file that cannot be read", "unreadable", "A", &yes, "error: cannot read it"},
		{"a file of another form", "bad", "A", &yes, "error: cannot read file bad of volume v: line 1 is not of the form NAME='VALUE'"},
		{"the first of two", "twice", "A", nil, "V=one"},
		{"a line of another form before it", "twice", "B", nil, "error: cannot read file twice of volume v: line 3 is not of the form NAME='VALUE'"},
		{"line ends of Windows", "windows", "A", nil, "V=one\ntwo"},
		{"as large as may be", "full", "A", nil, "V=" + strings.Repeat("x", MaxFile-5)},
		{"a byte more", "over", "A", &yes, "error: file over of volume v has more than 65536 bytes"},
	} {
		c := &corev1.Container{Env: []corev1.EnvVar{{Name: "V", ValueFrom: &corev1.EnvVarSource{
			FileKeyRef: &corev1.FileKeySelector{VolumeName: "v", Path: tc.path, Key: tc.key, Optional: tc.optional},
		}}}}
		vars, err := Resolve(c, source, expandTest)
		got := ""
		for _, v := range vars {
			got += v.Name + "=" + v.Value
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %.80s, want %.80s", tc.name, got, tc.want)
		}
	}
}

// What is written in the form is read again, whatever the values hold but for quotes.
func TestParseFileRoundTrip(t *testing.T) {
	t.Parallel()
	if err := quick.Check(func(values []string) bool {
		var text strings.Builder
		for i, v := range values {
			fmt.Fprintf(&text, "# value %d\nK%d='%s'\n", i, i, strings.ReplaceAll(v, "'", "\n#"))
		}
		vars, err := allOf(text.String())
		for i, v := range values {
			if vars[fmt.Sprintf("K%d", i)] != strings.ReplaceAll(v, "'", "\n#") {
				return false
			}
		}
		return err == nil && len(vars) == len(values)
	}, &quick.Config{Rand: rand.New(rand.NewSource(3)), MaxCount: 200}); err != nil {
		t.Error(err)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("A='one'\n# x\nB='two\nthree'")
	f.Fuzz(func(t *testing.T, text string) {
		if vars, err := allOf(text); err != nil && vars != nil {
			t.Errorf("%v beside %v", vars, err)
		}
	})
}
