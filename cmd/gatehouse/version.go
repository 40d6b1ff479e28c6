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
}

func (c *versionCmd) Run(a *app) error {
	v := versionInfo{Version: buildVersion, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
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
	_, err := fmt.Fprintf(a.Stdout, "gatehouse %s (commit %.12s, %s)\n", v.Version, v.Commit, v.Go)
	return err
}
