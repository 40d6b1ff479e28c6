package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

const generated = "<!-- Generated from internal/check; change it there and run: go generate ./internal/check -->\n\n"

// pages are the files of docs/checks/: name and text.
func pages() map[string]string {
	files := map[string]string{"README.md": index()}
	for _, c := range check.All() {
		files[c.Code+".md"] = page(c)
	}
	return files
}

// page is the page of one check.
func page(c *check.Check) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s%s.\n\n", c.Code, generated, c.Title)
	fmt.Fprintf(&b, "| stage | effect | source |\n| --- | --- | --- |\n| %s | %s | %s |\n", c.Stage, effect(c), cell(c.Source))
	if c.Severity == check.Step {
		b.WriteString("\nA milestone: an attempt that came so far shows it as passed. It never refuses anything.\n")
		return b.String()
	}
	values := check.Map(c.Example)
	fmt.Fprintf(&b, "\n## What happened\n\n%s\n", c.CauseWith(values))
	if c.Lint() {
		b.WriteString("\n`gatehouse policy check` finds this in a policy document, before any device connects.\n")
	}
	if c.Possible {
		b.WriteString("\nThis is a guess from what the device did; another cause is possible.\n")
	}
	b.WriteString("\n## What the device sees\n\n| where | what |\n| --- | --- |\n")
	for _, row := range [][2]string{
		{"TLS 1.2", c.Device.TLS12}, {"TLS 1.3", c.Device.TLS13}, {"MQTT 3.1.1", c.Device.MQTT311}, {"MQTT 5", c.Device.MQTT5}, {"HTTPS", c.Device.HTTPS},
	} {
		if row[1] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", row[0], cell(row[1]))
		}
	}
	if len(c.Device.Clients) > 0 {
		b.WriteString("\n| client | says |\n| --- | --- |\n")
		for _, client := range c.Device.Clients {
			fmt.Fprintf(&b, "| %s | %s |\n", client.Name, cell("`"+client.Says+"`"))
		}
	}
	b.WriteString("\n## What to do\n")
	if c.Advice != "" {
		fmt.Fprintf(&b, "\n%s\n", c.AdviceWith(values))
	}
	command, _ := c.FixWith(values)
	fmt.Fprintf(&b, "\n```sh\n%s\n```\n", command)
	if names := used(c); len(names) > 0 {
		b.WriteString("\n## Evidence\n\n| name | meaning | in the example |\n| --- | --- | --- |\n")
		vocabulary := check.Evidence()
		for _, n := range names {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", n, cell(vocabulary[n]), cell(code(c.Example[n])))
		}
	}
	if len(c.HiddenBy) > 0 {
		links := make([]string, 0, len(c.HiddenBy))
		for _, by := range c.HiddenBy {
			links = append(links, link(by))
		}
		fmt.Fprintf(&b, "\nNot shown beside a finding that explains it: %s.\n", strings.Join(links, ", "))
	}
	return b.String()
}

// index is docs/checks/README.md.
func index() string {
	var b strings.Builder
	b.WriteString("# Checks\n\n" + generated)
	b.WriteString("Every test that a device's attempt goes through has a code, which stays the same. `gatehouse explain` prints it;\nthis is what each means.\n")
	stage := check.Stage(0)
	for _, c := range check.All() {
		if c.Stage != stage {
			stage = c.Stage
			name := stage.String()
			fmt.Fprintf(&b, "\n## %s%s\n\n| check | effect | |\n| --- | --- | --- |\n", strings.ToUpper(name[:1]), name[1:])
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", link(c), effect(c), cell(c.Title))
	}
	return b.String()
}

func effect(c *check.Check) string {
	if c.Possible {
		return c.Severity.String() + ", suspected"
	}
	return c.Severity.String()
}

func link(c *check.Check) string { return fmt.Sprintf("[%s](%s.md)", c.Code, c.Code) }

// cell makes text fit for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)(\|[a-z]+)?\}`)

// used lists the evidence that the templates of c ask for, in their order.
func used(c *check.Check) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(c.Cause+c.Advice+c.Fix, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}
