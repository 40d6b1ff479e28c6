package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// leavesChild starts a process that leaves its group and would sleep for the time in the event.
const leavesChild = `import { spawn } from "node:child_process";
export const handler = async (event) => { spawn("sleep", [event.time], { detached: true, stdio: "ignore" }).unref(); return event.time; };`

// TestKillLeavesNoFunctions: after kill -9 nothing that a function started runs
// on, and the next start removes the folder that its processes lived in.
func TestKillLeavesNoFunctions(t *testing.T) {
	gatehouseproc.Need(t, "node")
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir)
	code, err := os.ReadFile(zipFile(t, "index.mjs", leavesChild))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lambdaOf(gw).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"), Timeout: aws.Int32(60),
		Role: aws.String("arn:aws:iam::" + gw.AccountID + ":role/any"), Code: &types.FunctionCode{ZipFile: code},
	}); err != nil {
		t.Fatal(err)
	}
	seconds := "100000." + strconv.Itoa(os.Getpid()) // by which the child is found
	invoke := func(gw *gatehouseproc.Process) {
		t.Helper()
		out, err := lambdaOf(gw).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"time":"` + seconds + `"}`)})
		if err != nil || out.FunctionError != nil {
			t.Fatalf("invoke: %v %s", err, out.Payload)
		}
	}
	runFolder := func() string {
		t.Helper()
		note, err := os.ReadFile(filepath.Join(dir, "functions", "run-folder"))
		if err != nil {
			t.Fatal(err)
		}
		return string(note)
	}
	invoke(gw)
	old := runFolder()
	slowly(t, "the function and its child to run", func() bool { return running(t, old) > 0 && running(t, seconds) == 1 })
	gw.Kill()
	slowly(t, "the function's process to end", func() bool { return running(t, old) == 0 })
	if strings.Contains(gw.Output(), "functions see the machine's processes") {
		t.Log("this kernel refuses namespaces: a child that left its group outlives a kill -9")
	} else {
		slowly(t, "its child to end", func() bool { return running(t, seconds) == 0 })
	}
	if _, err := os.Stat(old); err != nil {
		t.Fatalf("the test proves nothing: %v", err)
	}
	again := gatehouseproc.StartIn(t, dir)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", old, err)
	}
	invoke(again)
	if runFolder() == old {
		t.Errorf("the folder %s serves again", old)
	}
	again.Stop()
	slowly(t, "its child to end with a clean stop", func() bool { return running(t, seconds) == 0 })
	if _, err := os.Stat(filepath.Join(dir, "functions", "run-folder")); !os.IsNotExist(err) {
		t.Errorf("a clean stop leaves the note of a run: %v", err)
	}
}

// running counts the processes of this machine that have text in their command line.
func running(t *testing.T, text string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if os.IsNotExist(err) {
		t.Skip("functions run on Linux only")
	} else if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && strings.Contains(string(line), text) {
			n++
		}
	}
	return n
}
