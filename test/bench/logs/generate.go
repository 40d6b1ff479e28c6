//go:build linux

package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// fleet makes the log entries of many devices, in the form of AWS's. It is
// unfriendly to a column store: every device has a certificate, an address and
// topics of its own, takes its turn at random, and every request has a random
// trace ID.
type fleet struct {
	r       *rand.Rand
	now     int64 // epoch ms
	devices []device
	queue   [][]byte // entries of one request, which share its trace ID
}

type device struct {
	client, principal, address string
	port                       int
}

// begin is 2026-05-11 00:00 UTC; entries come every eight milliseconds or so, ten million in a day.
const begin = 1_778_457_600_000

func newFleet(devices int) *fleet {
	f := &fleet{r: rand.New(rand.NewPCG(7, 11)), now: begin}
	kinds := []string{"boiler", "meter", "gateway", "panel", "lock"}
	for i := range devices {
		d := device{client: fmt.Sprintf("%s-%06d", kinds[i%len(kinds)], i*7919%1_000_000), principal: f.hex(32), port: 32768 + f.r.IntN(28000)}
		d.address = fmt.Sprintf("10.%d.%d.%d", f.r.IntN(256), f.r.IntN(256), f.r.IntN(256))
		if i%5 == 0 {
			d.address = fmt.Sprintf("2001:db8:%x:%x::%x", f.r.IntN(65536), f.r.IntN(65536), f.r.IntN(65536))
		}
		f.devices = append(f.devices, d)
	}
	return f
}

func (f *fleet) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.r.Uint32())
	}
	return hex.EncodeToString(b)
}

func (f *fleet) uuid() string {
	h := f.hex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// next returns the next n events.
func (f *fleet) next(n int) []logs.Event {
	out := make([]logs.Event, n)
	for i := range out {
		if len(f.queue) == 0 {
			f.request()
		}
		out[i] = logs.Event{Time: f.now, Message: string(f.queue[0])}
		f.queue = f.queue[1:]
	}
	return out
}

// request makes what one request of a device leaves in the log.
func (f *fleet) request() {
	f.now += int64(f.r.IntN(40)) // 2.3 entries a request
	d := &f.devices[f.r.IntN(len(f.devices))]
	trace := f.uuid()
	topic := "site/" + strconv.Itoa(len(d.client)+d.port%97) + "/" + d.client + "/" + []string{"state", "telemetry", "alarm", "telemetry/raw", "config"}[f.r.IntN(5)]
	switch k := f.r.IntN(100); {
	case k < 5:
		d.port = 32768 + f.r.IntN(28000)
		f.entry(d, "INFO", trace, "Success", "Connect", "", "")
		f.entry(d, "INFO", trace, "Success", "Subscribe", "site/+/"+d.client+"/cmd", `,"subscriptions":[{"topicName":"site/+/`+d.client+`/cmd","reasonCode":1}]`)
	case k < 9:
		f.entry(d, "INFO", trace, "Success", "Disconnect", "", `,"disconnectReason":"`+[]string{"CLIENT_INITIATED_DISCONNECT", "MQTT_KEEP_ALIVE_TIMEOUT", "CONNECTION_LOST"}[f.r.IntN(3)]+`"`)
	case k < 11:
		f.entry(d, "ERROR", trace, "Failure", "Publish-In", "secret/"+d.client, `,"reason":"AUTHORIZATION_FAILURE","details":"Authorization Failure"`)
	case k < 13:
		f.entry(d, "ERROR", trace, "Failure", "Connect", "", `,"reason":"AUTHORIZATION_FAILURE","details":"No statement of `+strconv.Itoa(f.r.IntN(9))+` policies allows iot:Connect for `+d.client+`"`)
	case k < 30:
		f.entry(d, "DEBUG", trace, "Success", "Ping", "", `,"latency":`+strconv.Itoa(1+f.r.IntN(200)))
	default:
		f.entry(d, "INFO", trace, "Success", "Publish-In", topic, "")
		f.entry(d, "INFO", trace, "Success", "RuleMatch", topic, `,"ruleName":"Archive"`)
		if k < 60 {
			f.entry(d, "INFO", trace, "Success", "RuleExecution", topic, `,"ruleName":"Archive","ruleAction":"RepublishAction"`)
		}
		f.entry(&f.devices[f.r.IntN(50)], "INFO", trace, "Success", "Publish-Out", topic, "")
	}
}

func (f *fleet) entry(d *device, level, trace, status, event, topic, more string) {
	b := append([]byte(`{"timestamp":"`), logs.AppendTime(nil, f.now)...)
	b = append(b, `","logLevel":"`+level+`","traceId":"`+trace+`","accountId":"123456789012","status":"`+status+`","eventType":"`+event+`","protocol":"MQTT"`...)
	if topic != "" {
		b = append(b, `,"topicName":"`+topic+`"`...)
	}
	b = append(b, `,"clientId":"`+d.client+`","principalId":"`+d.principal+`","sourceIp":"`+d.address+`","sourcePort":`+strconv.Itoa(d.port)+more+`}`...)
	f.queue = append(f.queue, b)
}
