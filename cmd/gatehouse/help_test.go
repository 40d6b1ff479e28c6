package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every command of the contract (DESIGN, "The command line") is there, and the help of
// each command shows how it is called.
func TestEveryCommandHasAnExample(t *testing.T) {
	root := modelOf(t)
	for _, name := range []string{"up", "device", "diagnose", "explain", "logs", "policy", "authorizer", "env", "version"} {
		if childOf(root, name) == nil {
			t.Errorf("there is no command %s", name)
		}
	}
	eachCommand(root, func(n *kong.Node) {
		_, example, found := strings.Cut(n.Detail, "Example")
		if !found || !strings.Contains(example, n.FullPath()) {
			t.Errorf("%s --help has no example of itself", n.FullPath())
		}
		for _, c := range typed.FindAllStringSubmatch(example, -1) {
			if err := knows(root, c[1]); err != nil {
				t.Errorf("%s --help: %q: %v", n.FullPath(), c[0], err)
			}
		}
	})
}

// What README.md and the pages of docs/ tell people to type is there: commands and flags.
func TestCommandsOfTheDocuments(t *testing.T) {
	root := modelOf(t)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checks, err := filepath.Glob("../../docs/checks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range slices.Concat([]string{"../../README.md"}, pages, checks) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`\\\n *`).ReplaceAll(text, nil) // a line goes on
		for _, c := range quoted.FindAllStringSubmatch(string(text), -1) {
			seen++
			if err := knows(root, c[1]); err != nil {
				t.Errorf("%s: %q: %v", page, c[0], err)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d commands in the documents: the test does not find them", seen)
	}
}

var (
	typed  = regexp.MustCompile(`\bgatehouse ([^|;&)\n]+)`)                          // within a shell's lines
	quoted = regexp.MustCompile("(?m)(?:`|^\\$ |^  |\\$\\()gatehouse ([^`|;&)\n]+)") // within Markdown
)

func modelOf(t *testing.T) *kong.Node {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.Name("gatehouse"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Node
}

func childOf(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func eachCommand(n *kong.Node, do func(*kong.Node)) {
	for _, c := range n.Children {
		do(c)
		eachCommand(c, do)
	}
}

// word is a word of a shell, with its quotes.
var word = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// knows says what of the words behind gatehouse the program does not know: a command or
// a flag. Values are not looked at.
func knows(root *kong.Node, words string) error {
	if outer, inner, nested := strings.Cut(words, "$(gatehouse "); nested {
		return errors.Join(knows(root, outer), knows(root, inner))
	}
	n := root
	list := word.FindAllString(words, -1)
	for i := 0; i < len(list); i++ {
		w := list[i]
		switch {
		case w == "#": // a remark
			return nil
		case strings.HasPrefix(w, "-") && w != "-":
			name, _, given := strings.Cut(strings.TrimLeft(w, "-"), "=")
			f := flagOf(n, name)
			if f == nil {
				return fmt.Errorf("%s has no flag %s", n.FullPath(), w)
			}
			if !f.IsBool() && !given {
				i++
			}
		case len(n.Children) > 0 && isName.MatchString(w): // anything else stands for a name
			c := childOf(n, w)
			if c == nil {
				return fmt.Errorf("%s has no command %s", n.FullPath(), w)
			}
			n = c
		}
	}
	return nil
}

func TestKnows(t *testing.T) {
	root := modelOf(t)
	for words, want := range map[string]string{
		"device add NAME --out certs/":                  "",
		"-o json explain --client-id '--last' # why":    "",
		"up --data-dir=x":                               "",
		`authorizer replay "$(gatehouse explain --lost`: "gatehouse explain has no flag --lost",
		"device make x":                                 "gatehouse device has no command make",
		"explain --lost":                                "gatehouse explain has no flag --lost",
		"up --host explain --client-id x":               "gatehouse up has no flag --client-id",
	} {
		got := ""
		if err := knows(root, words); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

var isName = regexp.MustCompile(`^[a-z-]+$`)

func flagOf(n *kong.Node, name string) *kong.Flag {
	for _, group := range n.AllFlags(false) {
		for _, f := range group {
			if f.Name == name || f.Short != 0 && string(f.Short) == name || f.Tag != nil && f.Tag.Negatable != "" && "no-"+f.Name == name {
				return f
			}
		}
	}
	return nil
}
