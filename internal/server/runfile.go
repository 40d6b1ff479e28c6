package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	if _, err := tmp.Write(append(raw, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dataDir, RunFileName))
}
