// A custom runtime that does, on request, what no runtime should.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var api = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"

func post(path string, body io.Reader) string {
	resp, err := http.Post(api+path, "application/json", body)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

func answer(id string, value any) string {
	text, _ := json.Marshal(value)
	return post("invocation/"+id+"/response", bytes.NewReader(text))
}

// endless is a body of n bytes.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = '1'
	}
	e.left -= n
	return n, nil
}

func main() {
	if len(os.Args) > 1 { // a child
		time.Sleep(time.Minute)
		return
	}
	last := "" // what the invocation before has to tell
	for {
		resp, err := http.Get(api + "invocation/next")
		if err != nil || resp.StatusCode != 200 {
			os.Exit(9)
		}
		var in struct{ Mode, Path string }
		json.NewDecoder(resp.Body).Decode(&in)
		resp.Body.Close()
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		switch in.Mode {
		case "children":
			made := 0
			for range 500 {
				cmd := exec.Command("/proc/self/exe", "child")
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of our process group
				if cmd.Start() == nil {
					made++
				}
			}
			answer(id, made)
			time.Sleep(time.Minute)
		case "large":
			last = post("invocation/"+id+"/response", &endless{1 << 30})
		case "chatter":
			line := []byte(strings.Repeat("x", 1000) + "\n")
			for {
				os.Stdout.Write(line)
			}
		case "one line":
			for {
				os.Stdout.Write(bytes.Repeat([]byte{'x'}, 1<<16))
			}
		case "close":
			for fd := range 3 {
				syscall.Close(fd)
			}
			answer(id, "closed")
		case "sigterm":
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
			time.Sleep(time.Minute)
		case "twice":
			answer(id, "first")
			last = answer(id, "second")
		case "wrong id":
			wrong := answer("00000000-0000-4000-8000-000000000000", "wrong")
			answer(id, wrong)
		case "crash after":
			answer(id, "done")
			os.Exit(3)
		case "exit":
			os.Exit(3)
		case "hang after":
			answer(id, "done")
			time.Sleep(time.Minute)
		case "next twice":
			resp, err := http.Get(api + "invocation/next")
			if err != nil {
				os.Exit(8)
			}
			resp.Body.Close()
			answer(id, resp.StatusCode)
		case "memory":
			var hold [][]byte
			for range 64 {
				b := make([]byte, 16<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				hold = append(hold, b)
				time.Sleep(20 * time.Millisecond)
			}
			answer(id, len(hold))
		case "read":
			text, err := os.ReadFile(in.Path)
			if err == nil {
				answer(id, string(text))
			} else {
				answer(id, "refused: "+err.Error())
			}
		case "list":
			var names []string
			entries, err := os.ReadDir(in.Path)
			for _, e := range entries {
				names = append(names, e.Name())
			}
			answer(id, fmt.Sprint(names, err))
		case "write":
			err := os.WriteFile(in.Path, []byte("x"), 0o600)
			answer(id, fmt.Sprint(err))
		case "who":
			fds, _ := os.ReadDir("/proc/self/fd")
			var open []string
			for _, fd := range fds {
				to, _ := os.Readlink("/proc/self/fd/" + fd.Name())
				open = append(open, to)
			}
			answer(id, map[string]any{"uid": os.Getuid(), "gid": os.Getgid(), "env": os.Environ(), "fds": open})
		case "connections":
			host, _, _ := strings.Cut(os.Getenv("AWS_LAMBDA_RUNTIME_API"), "/")
			var open []net.Conn
			for range 200 {
				if nc, err := net.Dial("tcp", host); err == nil {
					open = append(open, nc)
				}
			}
			for _, nc := range open {
				nc.Close()
			}
			answer(id, "done")
		default:
			answer(id, "ok "+last)
		}
	}
}
