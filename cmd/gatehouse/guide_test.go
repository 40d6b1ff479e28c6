package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/gatehouse-iot/gatehouse/test/golden"
)

const guide = "../../docs/guide.md"

// TestGuideFlags holds the table of the guide against the flags of `gatehouse up`.
func TestGuideFlags(t *testing.T) { golden.Table(t, guide, flagTable(t)) }

func flagTable(t *testing.T) string {
	t.Helper()
	parser, err := kong.New(&commandLine{})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| flag | default | environment | |\n| --- | --- | --- | --- |\n")
	for _, command := range parser.Model.Children {
		if command.Name != "up" {
			continue
		}
		for _, f := range command.Flags {
			value := ""
			if f.Default != "" {
				value = "`" + f.Default + "`"
			}
			table.WriteString("| `--" + f.Name + "` | " + value + " | `" + strings.Join(f.Envs, "`, `") + "` | " + f.Help + " |\n")
		}
	}
	return table.String()
}

// The YAML of the guide is a configuration that `gatehouse up` takes.
func TestGuideConfiguration(t *testing.T) {
	raw, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	_, yaml, _ := bytes.Cut(raw, []byte("```yaml\n"))
	yaml, _, found := bytes.Cut(yaml, []byte("```\n"))
	if !found {
		t.Fatalf("%s shows no configuration", guide)
	}
	file := t.TempDir() + "/gatehouse.yaml"
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	// A Region that can't be ends the command after the file was taken and before anything is opened.
	code := run([]string{"up", "--config", file, "--region", "nowhere"}, nil, &stdout, &stderr)
	if got, want := stderr.String(), "gatehouse: --region \"nowhere\" does not look like a Region, such as us-east-1\n"; code != exitFailed || got != want {
		t.Errorf("the guide's configuration: exit code %d, %q, want %d, %q", code, got, exitFailed, want)
	}
}
