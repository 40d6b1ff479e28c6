package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints what this binary is.
type versionCmd struct{}

// buildVersion is set by the release build (-ldflags "-X main.buildVersion=v1.2.3").
var buildVersion = "dev"

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Help is the example that `gatehouse version --help` ends with.
func (c *versionCmd) Help() string {
	return `Examples:

  gatehouse version
  gatehouse version -o json`
}

func (c *versionCmd) Run(a *app) error {
	v := versionInfo{Version: buildVersion, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if m := info.Main.Version; v.Version == "dev" && m != "" && m != "(devel)" {
			v.Version = m // installed with go install ...@version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Dirty = s.Value == "true"
			}
		}
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(v)
	}
	commit := ""
	if v.Commit != "" { // go run does not tell it
		commit = fmt.Sprintf("commit %.12s, ", v.Commit)
		if v.Dirty {
			commit = fmt.Sprintf("commit %.12s with changes, ", v.Commit)
		}
	}
	_, err := fmt.Fprintf(a.Stdout, "gatehouse %s (%s%s, %s/%s)\n", v.Version, commit, v.Go, v.OS, v.Arch)
	return err
}
