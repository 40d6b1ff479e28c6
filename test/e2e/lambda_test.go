package e2e

import (
	"archive/zip"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// zipFile writes a deployment package with one file.
func zipFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fn.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const handler = `export const handler = async e => { if (e.fail) throw new TypeError("as asked"); console.log("seen", e.n); return {n: e.n + 1} }`

// TestFunctionsByAWSCLI makes, invokes, permits and removes a function with the AWS CLI.
func TestFunctionsByAWSCLI(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gatehouseproc.Need(t, "node")
	gw := gatehouseproc.Start(t)
	dir := t.TempDir()
	gw.MustRun(t, "aws", "lambda", "create-function", "--function-name", "f", "--runtime", "nodejs22.x", "--handler", "index.handler", "--timeout", "30",
		"--role", "arn:aws:iam::"+gw.AccountID+":role/any", "--zip-file", "fileb://"+zipFile(t, "index.mjs", handler))
	gw.MustRun(t, "aws", "lambda", "wait", "function-active-v2", "--function-name", "f")
	event, answer := filepath.Join(dir, "event.json"), filepath.Join(dir, "answer.json")
	if err := os.WriteFile(event, []byte(`{"n":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var result struct{ ExecutedVersion, FunctionError string }
	gw.JSON(t, &result, "aws", "lambda", "invoke", "--function-name", "f", "--payload", "fileb://"+event, answer)
	if text, err := os.ReadFile(answer); err != nil || string(text) != `{"n":2}` || result.ExecutedVersion != "$LATEST" || result.FunctionError != "" {
		t.Errorf("invoke: %+v %s %v", result, text, err)
	}
	gw.MustRun(t, "aws", "lambda", "add-permission", "--function-name", "f", "--statement-id", "iot", "--action", "lambda:InvokeFunction",
		"--principal", "iot.amazonaws.com", "--source-arn", "arn:aws:iot:us-east-1:"+gw.AccountID+":authorizer/a")
	var policy struct{ Policy, RevisionID string }
	gw.JSON(t, &policy, "aws", "lambda", "get-policy", "--function-name", "f")
	if !strings.Contains(policy.Policy, `"Principal":{"Service":"iot.amazonaws.com"}`) {
		t.Errorf("get-policy: %+v", policy)
	}
	gw.MustRun(t, "aws", "lambda", "remove-permission", "--function-name", "f", "--statement-id", "iot")
	for want, args := range map[string][]string{
		"ResourceNotFoundException":      {"get-policy", "--function-name", "f"},
		"InvalidParameterValueException": {"create-function", "--function-name", "g", "--runtime", "nodejs22.x", "--handler", "h.h", "--role", "arn:aws:iam::123456789012:role/x", "--code", "S3Bucket=bucket,S3Key=key"},
		"NotImplementedException":        {"list-layers"},
	} {
		if stderr := awsFails(t, gw, append([]string{"lambda"}, args...)...); !strings.Contains(stderr, want) {
			t.Errorf("%v: %s, want %s", args, stderr, want)
		}
	}
	gw.MustRun(t, "aws", "lambda", "delete-function", "--function-name", "f")
}

// TestFunctionsBySDK looks at errors, logs and names as the Go SDK sees them.
func TestFunctionsBySDK(t *testing.T) {
	gatehouseproc.Need(t, "node")
	gw := gatehouseproc.Start(t)
	client := lambda.New(lambda.Options{
		Region: gw.Region, BaseEndpoint: &gw.APIURL, Credentials: credentials.NewStaticCredentialsProvider(gw.AccessKeyID, gw.SecretAccessKey, ""), HTTPClient: http.DefaultClient,
	})
	ctx := context.Background()
	code, err := os.ReadFile(zipFile(t, "index.mjs", handler))
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"), Role: aws.String("arn:aws:iam::123456789012:role/x"),
		Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(30), Publish: true, Tags: map[string]string{"team": "blue"},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := strings.TrimSuffix(*made.FunctionArn, ":1")
	for _, name := range []string{"f", "f:1", arn, arn + ":$LATEST", gw.AccountID + ":function:f"} {
		out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"n":41}`), LogType: types.LogTypeTail})
		if err != nil || string(out.Payload) != `{"n":42}` || out.LogResult == nil || *out.LogResult == "" {
			t.Errorf("invoke %s: %v %+v", name, err, out)
		}
	}
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"fail":true}`)})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType":"TypeError","errorMessage":"as asked"`) {
		t.Errorf("a handler that throws: %v %+v", err, out)
	}
	for kind, status := range map[types.InvocationType]int32{types.InvocationTypeDryRun: 204, types.InvocationTypeEvent: 202} {
		if out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), InvocationType: kind, Payload: []byte(`{"n":1}`)}); err != nil || out.StatusCode != status {
			t.Errorf("%s: %v %+v", kind, err, out)
		}
	}
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{`)})
	if bad := (*types.InvalidRequestContentException)(nil); !errors.As(err, &bad) || aws.ToString(bad.Message) == "" {
		t.Errorf("no JSON: %v", err)
	}
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("nope")})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) || !strings.HasSuffix(aws.ToString(missing.Message), ":function:nope") || aws.ToString(missing.Type) != "User" {
		t.Errorf("no such function: %v", err)
	}
	if _, err = client.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("f"), ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("1"), Payload: []byte(`{"n":1}`)}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
	if busy := (*types.TooManyRequestsException)(nil); err != nil && (!errors.As(err, &busy) || busy.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded) {
		t.Errorf("nothing reserved: %v", err)
	}
	if _, err = client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &arn}); err != nil {
		t.Error(err)
	}
}
