package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// envCmd prints shell exports so that plain `aws iot ...` talks to the running Gatehouse.
type envCmd struct {
	DataDir string `help:"Data folder of the running Gatehouse." default:"./gatehouse-data" env:"GATEHOUSE_DATA_DIR"`
	Unset   bool   `help:"Print what takes the exports back."`
}

// Help is the example that `gatehouse env --help` ends with.
func (c *envCmd) Help() string {
	return `Examples:

  eval "$(gatehouse env)"
  aws iot describe-endpoint --endpoint-type iot:Data-ATS

  eval "$(gatehouse env --unset)"`
}

func (c *envCmd) Run(a *app) error {
	rf, err := server.FindRunning(a.Ctx, c.DataDir)
	if err != nil && !c.Unset {
		return withHint(err, "start it with: gatehouse up%s", dataDirFlag(c.DataDir))
	}
	vars := []struct{ name, value string }{
		{"AWS_ENDPOINT_URL", rf.APIURL},
		{"AWS_ACCESS_KEY_ID", rf.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", rf.SecretAccessKey},
		{"AWS_REGION", rf.Region},
		{"AWS_DEFAULT_REGION", rf.Region},
		{"AWS_DISABLE_HOST_PREFIX_INJECTION", "true"}, // else a live tail goes to stream-127.0.0.1
		{"GATEHOUSE_DATA_DIR", absolute(c.DataDir)},
	}
	if strings.HasPrefix(rf.APIURL, "https:") || c.Unset {
		vars = append(vars, struct{ name, value string }{"AWS_CA_BUNDLE", rf.CAFile})
	}
	switch {
	case c.Unset:
		names := make([]string, len(vars))
		for i, v := range vars {
			names[i] = v.name
		}
		if a.Output == "json" {
			return json.NewEncoder(a.Stdout).Encode(map[string][]string{"unset": names})
		}
		fmt.Fprintln(a.Stdout, "unset", strings.Join(names, " "))
	case a.Output == "json":
		object := map[string]string{}
		for _, v := range vars {
			object[v.name] = v.value
		}
		return json.NewEncoder(a.Stdout).Encode(object)
	default:
		for _, v := range vars {
			fmt.Fprintf(a.Stdout, "export %s=%s\n", v.name, shellQuote(v.value))
		}
		// A session token or profile of a real account would be sent along and refused.
		fmt.Fprintln(a.Stdout, "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")
	}
	return nil
}

// dataDirFlag is the --data-dir flag to print in a command that is typed in the
// same shell, or "" where the command finds dir without it.
func dataDirFlag(dir string) string {
	if dir == defaultDataDir || dir == os.Getenv("GATEHOUSE_DATA_DIR") {
		return ""
	}
	return " --data-dir " + shellQuote(dir)
}

// defaultDataDir is the default of every --data-dir.
const defaultDataDir = "./gatehouse-data"
