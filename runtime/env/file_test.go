package env

import (
	"fmt"
	"testing"
)

func TestParseFile(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "map[]"},
		{"# a note\n\nA='one'\nB='two words' # why\n", "map[A:one B:two words]"},
		{"A='$(X) \\n \"'\n", `map[A:$(X) \n "]`},
		{"A='one\ntwo'\nB=''\nA='last'", "map[A:last B:]"},
		{"A=one\n", "error: line 1 is not of the form NAME='VALUE'"},
		{"A='x'\nB =''\n", "error: line 2 is not of the form NAME='VALUE'"},
		{"A='one\n", "error: the quote that line 1 opens is not closed"},
		{"A='one\ntwo'x\n", "error: line 2 goes on after the value"},
	}
	for _, tt := range tests {
		vars, err := parseFile(tt.text)
		got := fmt.Sprint(vars)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%q\ngot  %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("A='one'\n# x\nB='two\nthree'")
	f.Fuzz(func(t *testing.T, text string) {
		if vars, err := parseFile(text); err != nil && vars != nil {
			t.Errorf("%v beside %v", vars, err)
		}
	})
}
