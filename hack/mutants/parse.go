package main

import (
	"fmt"
	"strings"
)

// mutant is one break: a piece of a file, and what it is replaced by.
type mutant struct{ name, file, old, new string }

// parse reads the list of breaks. Each is a line "== name", a line "file: path", and the old and new text after the lines
// "-- old" and "-- new". What stands before the first break is a comment.
func parse(text string) ([]mutant, error) {
	var out []mutant
	for i, section := range strings.Split("\n"+text, "\n== ") {
		if i == 0 {
			continue
		}
		head, rest, ok := strings.Cut(section, "\n-- old\n")
		old, replacement, also := strings.Cut(rest, "\n-- new\n")
		name, file, named := strings.Cut(head, "\nfile: ")
		if !ok || !also || !named {
			return nil, fmt.Errorf("break %q has no file, old or new text", name)
		}
		out = append(out, mutant{name: name, file: strings.TrimSpace(file), old: old, new: strings.TrimRight(replacement, "\n")})
	}
	return out, nil
}
