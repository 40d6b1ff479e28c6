package function

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestHandlers runs handlers in every form that AWS's runtimes know.
// Source: custom-auth sheet 16.3 to 16.5.
func TestHandlers(t *testing.T) {
	s := newService(t)
	for name, tt := range map[string]struct {
		runtime, handler string
		files            map[string]string
		want             string  // payload
		outcome          Outcome // default Succeeded
		log              string  // in the tail
	}{
		"node async": {
			"nodejs20.x", "index.handler",
			map[string]string{"index.js": `exports.handler = async (e, c) => { console.log("hello\nyou"); return {got: e.a, left: c.getRemainingTimeInMillis() > 0, arn: c.invokedFunctionArn, memory: c.memoryLimitInMB} }`},
			`{"got":1,"left":true,"arn":"arn:aws:lambda:us-east-1:123456789012:function:node-async","memory":"128"}`, "", "\tINFO\thello\ryou",
		},
		"node callback": {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = (e, c, done) => { done(null, "first"); done(null, "second") }`}, `"first"`, "", ""},
		"node callback error": {
			"nodejs20.x", "index.handler",
			map[string]string{"index.js": `exports.handler = (e, c, done) => { done("nope") }`},
			`{"errorType":"string","errorMessage":"nope","trace":[]}`, HandlerFailed, "",
		},
		"node open handle":  {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = (e, c, done) => { setInterval(() => {}, 1000); done(null, 1) }`}, `1`, "", ""},
		"node no wait":      {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = (e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; done(null, 1) }`}, `1`, "", ""},
		"node sync":         {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = () => "lost"`}, `null`, "", "Lambda ignores the value"},
		"node module":       {"nodejs20.x", "index.handler", map[string]string{"index.mjs": `export const handler = async e => e.a`}, `1`, "", ""},
		"node type module":  {"nodejs20.x", "src/auth.api.handler", map[string]string{"package.json": `{"type":"module"}`, "src/auth.js": `export const api = {handler: async () => "deep"}`}, `"deep"`, "", ""},
		"node undefined":    {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => {}`}, `null`, "", ""},
		"node no module":    {"nodejs20.x", "index.handler", map[string]string{"other.js": ``}, `Runtime.ImportModuleError`, InitFailed, ""},
		"node no handler":   {"nodejs20.x", "index.handler", map[string]string{"index.js": ``}, `Runtime.HandlerNotFound`, InitFailed, ""},
		"node syntax":       {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = (`}, `Runtime.UserCodeSyntaxError`, InitFailed, ""},
		"node old buffer":   {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => new Buffer("dGVzdA==", "base64").toString()`}, `"test"`, "", ""},
		"node throws":       {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async e => e.a.b.c`}, `"errorType":"TypeError"`, HandlerFailed, "Invoke Error"},
		"node rejects late": {"nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = (e, c, done) => { Promise.reject(new Error("x")) }`}, `Runtime.UnhandledPromiseRejection`, HandlerFailed, ""},
		"python":            {"python3.11", "lambda_function.lambda_handler", map[string]string{"lambda_function.py": "import logging\ndef lambda_handler(event, context):\n  print('hi')\n  logging.getLogger().warning('careful')\n  return {'got': event['a'], 'arn': context.invoked_function_arn, 'left': context.get_remaining_time_in_millis() > 0}\n"}, `{"got": 1, "arn": "arn:aws:lambda:us-east-1:123456789012:function:python", "left": true}`, "", "[WARNING]\t"},
		"python none":       {"python3.12", "pkg/mod.handler", map[string]string{"pkg/__init__.py": "", "pkg/mod.py": "def handler(e, c): pass\n"}, `null`, "", ""},
		"python raises":     {"python3.11", "f.h", map[string]string{"f.py": "def h(e, c):\n  return e['mqtt']\n"}, `"errorMessage": "'mqtt'", "errorType": "KeyError"`, HandlerFailed, "[ERROR] KeyError: 'mqtt'"},
		"python marshal":    {"python3.11", "f.h", map[string]string{"f.py": "def h(e, c):\n  return {1, 2}\n"}, `Runtime.MarshalError`, HandlerFailed, ""},
		"python no module":  {"python3.11", "f.h", map[string]string{"g.py": ""}, `Runtime.ImportModuleError`, InitFailed, ""},
		"python no handler": {"python3.11", "f.h", map[string]string{"f.py": ""}, `Runtime.HandlerNotFound`, InitFailed, ""},
		"python syntax":     {"python3.11", "f.h", map[string]string{"f.py": "def h(:"}, `Runtime.UserCodeSyntaxError`, InitFailed, ""},
		"no bootstrap":      {"provided.al2023", "bootstrap", map[string]string{"main": ""}, "", NotRunnable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fn := strings.ReplaceAll(name, " ", "-")
			create(t, s, fn, tt.runtime, tt.handler, tt.files)
			res := invoke(t, s, fn, `{"a":1}`)
			if tt.outcome == "" {
				tt.outcome = Succeeded
			}
			if res.Outcome != tt.outcome || !strings.Contains(string(res.Payload), tt.want) {
				t.Fatalf("got %s %s (%s), want %s %s\n%s", res.Outcome, res.Payload, res.Message, tt.outcome, tt.want, res.Log)
			}
			if tt.outcome == Succeeded && string(res.Payload) != tt.want {
				t.Errorf("payload %s, want %s", res.Payload, tt.want)
			}
			if !strings.Contains(string(res.Log), tt.log) {
				t.Errorf("log %q, want %q in it", res.Log, tt.log)
			}
			if tt.outcome == Succeeded && (!strings.Contains(string(res.Log), "START RequestId: "+res.RequestID+" Version: $LATEST") || !strings.Contains(string(res.Log), "REPORT RequestId: "+res.RequestID+"\tDuration: ")) {
				t.Errorf("log %q without START or REPORT", res.Log)
			}
			if err := s.Delete(t.Context(), fn, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGoHandler runs an unmodified program of aws-lambda-go.
func TestGoHandler(t *testing.T) {
	s := newService(t)
	create(t, s, "go", "provided.al2023", "bootstrap", goProgram(t, "authorizer"))
	res := invoke(t, s, "go", `{"token":"aToken","protocolData":{"mqtt":{"username":"alice","password":"dGVzdA=="}}}`)
	var got struct {
		IsAuthenticated bool   `json:"isAuthenticated"`
		PrincipalID     string `json:"principalId"`
	}
	if err := json.Unmarshal(res.Payload, &got); err != nil || !got.IsAuthenticated || got.PrincipalID != "alice" {
		t.Fatalf("%s %s %v\n%s", res.Outcome, res.Payload, err, res.Log)
	}
	if res.Init == 0 {
		t.Error("the first invocation has no init time")
	}
	if res = invoke(t, s, "go", `{"panic":true,"token":"panic"}`); res.Outcome != HandlerFailed || res.ErrorMessage != "panic asked for" {
		t.Errorf("a panic gave %s %s %q", res.Outcome, res.Payload, res.ErrorMessage)
	}
	if res = invoke(t, s, "go", `{"token":"x"}`); res.Outcome != Succeeded || res.Init == 0 {
		t.Errorf("after a panic: %s %s, init %s", res.Outcome, res.Payload, res.Init)
	}
}
