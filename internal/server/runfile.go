package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// RunFileName is the file in the data folder by which commands find the running server.
const RunFileName = "gatehouse.json"

// RunFile tells where a running Gatehouse listens, and its API credentials.
// DESIGN, "Its keys". The file has mode 0600; it is written when the server is
// ready and removed on a clean stop.
type RunFile struct {
	PID             int      `json:"pid"`
	Endpoint        string   `json:"endpoint"`
	AccountID       string   `json:"accountId"`
	Region          string   `json:"region"`
	Ports           RunPorts `json:"ports"`
	APIURL          string   `json:"apiUrl"`
	CAFile          string   `json:"caFile"` // absolute path of the root CA that devices must trust, PEM
	AccessKeyID     string   `json:"accessKeyId"`
	SecretAccessKey string   `json:"secretAccessKey"`
}

// RunPorts are the ports that the doors really have.
type RunPorts struct {
	MQTT  int `json:"mqtt"`
	HTTPS int `json:"https"`
	ALPN  int `json:"alpn"`
	API   int `json:"api"`
}

// ErrNotRunning says that a data folder has no run file: no Gatehouse runs on it.
var ErrNotRunning = errors.New("no Gatehouse is running on this data folder")

// ReadRunFile reads the run file of dataDir, or answers ErrNotRunning.
func ReadRunFile(dataDir string) (RunFile, error) {
	path := filepath.Join(dataDir, RunFileName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return RunFile{}, fmt.Errorf("%s: %w", path, ErrNotRunning)
	} else if err != nil {
		return RunFile{}, err
	}
	var rf RunFile
	if err := json.Unmarshal(raw, &rf); err != nil {
		return RunFile{}, fmt.Errorf("%s: %w", path, err)
	}
	return rf, nil
}

// FindRunning reads the run file of dataDir and proves that its server is there.
// A server that was killed leaves its file behind: that is ErrNotRunning too,
// whatever process has its pid by now.
func FindRunning(ctx context.Context, dataDir string) (RunFile, error) {
	rf, err := ReadRunFile(dataDir)
	if err != nil {
		return RunFile{}, err
	}
	path := filepath.Join(dataDir, RunFileName)
	api, err := url.Parse(rf.APIURL)
	if err != nil || api.Host == "" {
		return RunFile{}, fmt.Errorf("%s: apiUrl %q is no URL", path, rf.APIURL)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", api.Host)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return RunFile{}, fmt.Errorf("%w: nothing listens on %s any more, and %s was left behind", ErrNotRunning, rf.APIURL, path)
	} else if err != nil {
		return RunFile{}, fmt.Errorf("%s: %w", path, err)
	}
	nc.Close()
	return rf, nil
}

// dialTime is how long a running server may take to accept a connection.
const dialTime = 3 * time.Second

// write puts the run file in place in one step, so that a reader sees all of it or none.
func (rf RunFile) write(dataDir string) error {
	raw, err := json.MarshalIndent(rf, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dataDir, RunFileName+".*") // CreateTemp makes mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone after the rename
	if _, err := tmp.Write(append(raw, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dataDir, RunFileName))
}
