package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/faultserver"
)

// faultsCmd is a server that misbehaves on demand.
type faultsCmd struct {
	List faultsListCmd `cmd:"" help:"List the faults, with what each stands for."`
	Run  faultsRunCmd  `cmd:"" help:"Show faults, each on a port of its own, until Ctrl-C."`
}

// Help is the example that `gatehouse faults --help` ends with.
func (c *faultsCmd) Help() string {
	return `Examples:

  gatehouse faults list
  gatehouse faults run cert-expired`
}

type faultsListCmd struct{}

// Help is the example that `gatehouse faults list --help` ends with.
func (c *faultsListCmd) Help() string {
	return `Examples:

  gatehouse faults list
  gatehouse faults list -o json`
}

// faultJSON is the JSON form of a fault.
type faultJSON struct {
	Name    string       `json:"name"`
	Does    string       `json:"does"`
	Code    string       `json:"code,omitempty"` // the check that it stands for
	Address string       `json:"address,omitempty"`
	CAFile  string       `json:"caFile,omitempty"`
	Clients []clientJSON `json:"clients,omitempty"`
}

type clientJSON struct {
	Name string `json:"name"`
	Says string `json:"says"`
}

func faultForm(f faultserver.Fault) faultJSON {
	j := faultJSON{Name: f.Name, Does: f.Does}
	if f.Check != nil {
		j.Code = f.Check.Code
	}
	for _, c := range clientsOf(f) {
		j.Clients = append(j.Clients, clientJSON{c.Name, c.Says})
	}
	return j
}

// clientsOf is what clients print: as measured, or as the check knows it.
func clientsOf(f faultserver.Fault) []check.Client {
	if len(f.Clients) == 0 && f.Check != nil {
		return f.Check.Device.Clients
	}
	return f.Clients
}

// Run lists the faults.
func (c *faultsListCmd) Run(a *app) error {
	if a.Output == "json" {
		list := []faultJSON{}
		for _, f := range faultserver.Faults() {
			list = append(list, faultForm(f))
		}
		return json.NewEncoder(a.Stdout).Encode(list)
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range faultserver.Faults() {
		fmt.Fprintf(w, "%s\t%s\n", f.Name, f.Does)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprint(a.Stdout, "\nAlso: alert-N, hello-alert-N (TLS alert N), connack-0xNN, disconnect-0xNN (MQTT 5 reason codes), and NAME-tls12 (the same at TLS 1.2).\n")
	return nil
}

type faultsRunCmd struct {
	Faults []string `arg:"" name:"name" help:"Faults: gatehouse faults list."`
	Host   string   `help:"Address to listen on." default:"127.0.0.1"`
	Name   string   `help:"Host name in the server's certificate, by which clients come." default:"localhost"`
	Port   int      `help:"Port of the first fault, the others follow; 0: the kernel chooses each."`
	CADir  string   `name:"ca-dir" help:"Folder for the CA file, faults-ca.pem." default:"." type:"path"`
}

// Help is the example that `gatehouse faults run --help` ends with.
func (c *faultsRunCmd) Help() string {
	return `Examples:

  gatehouse faults run cert-expired
  gatehouse faults run cert-expired connect-close --port 9000`
}

// Run shows the faults until it is told to stop.
func (c *faultsRunCmd) Run(a *app) error {
	var list []faultserver.Fault
	for _, name := range c.Faults {
		f, err := faultserver.Lookup(name)
		if err != nil {
			return withHint(err, "gatehouse faults list")
		}
		list = append(list, f)
	}
	if c.Port < 0 || c.Port+len(list)-1 > 65535 {
		return errors.New("--port: from 0 to 65535, with room for every fault")
	}
	s, err := faultserver.Start(c.Host, c.Name)
	if err != nil {
		return err
	}
	defer s.Stop()
	caFile := filepath.Join(c.CADir, "faults-ca.pem")
	if err := os.WriteFile(caFile, s.CA(), 0o644); err != nil { //nolint:gosec // a CA certificate is public
		return err
	}
	for i, f := range list {
		port := c.Port
		if port != 0 {
			port += i
		}
		addr, err := s.Listen(a.Ctx, f, port)
		if err != nil {
			return err
		}
		if err := c.show(a, f, addr, caFile); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.Stderr, "Ctrl-C ends it.")
	<-a.Ctx.Done()
	return nil
}

// show tells where a fault is, and what clients make of it.
func (c *faultsRunCmd) show(a *app, f faultserver.Fault, addr net.Addr, caFile string) error {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	where := net.JoinHostPort(c.Name, port)
	if a.Output == "json" {
		j := faultForm(f)
		j.Address, j.CAFile = where, caFile
		return json.NewEncoder(a.Stdout).Encode(j)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n  %s\n  CA file: %s\n", where, f.Name, f.Does, caFile)
	if f.Check != nil {
		fmt.Fprintf(&b, "  stands for: %s (%s)\n", f.Check.Code, f.Check.Title)
	}
	for _, client := range clientsOf(f) {
		fmt.Fprintf(&b, "  %-12s %s\n", client.Name, client.Says)
	}
	fmt.Fprintln(a.Stdout, b.String())
	return nil
}
