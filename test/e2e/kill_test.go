package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// kill -9 while 1,000 API writes and 1,000 device connections are under way:
// every acknowledged write is there after the restart, and devices connect again.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	const writes, connections = 1000, 1000
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d := gw.AddDevice(t, "kill-0", "--topic", "*")
	api := gw.IoT()
	doc := func(i int) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/n%d"}]}`, i)
	}

	var wg sync.WaitGroup
	var next, connected atomic.Int64
	var mu sync.Mutex
	acknowledged := map[string]bool{} // guarded by mu: thing and policy names
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= writes; i = next.Add(1) {
				name := fmt.Sprintf("kill-thing-%d", i)
				if i%2 == 0 {
					name = fmt.Sprintf("kill-policy-%d", i)
				}
				var err error
				if i%2 == 0 {
					_, err = api.CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(doc(int(i)))})
				} else {
					_, err = api.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name})
				}
				if err != nil {
					return // killed
				}
				mu.Lock()
				acknowledged[name] = true
				mu.Unlock()
			}
		})
	}
	config := tlsConfig(t, d)
	for range 16 {
		wg.Go(func() {
			for connected.Load() < connections {
				select {
				case <-stop:
					return
				default:
				}
				if nc, err := connectOnce(gw, config, "kill-0"); err == nil {
					connected.Add(1)
					nc.Close()
				}
			}
		})
	}
	for { // both kinds of work are well under way, neither is done
		mu.Lock()
		n := len(acknowledged)
		mu.Unlock()
		if n >= writes/2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	gw.Kill()
	close(stop)
	wg.Wait()
	if len(acknowledged) >= writes {
		t.Errorf("all %d writes were acknowledged before the kill: it tested nothing", writes)
	}

	again := gatehouseproc.StartIn(t, dir, "--limits", "open")
	api = again.IoT()
	there := map[string]bool{}
	things := iot.NewListThingsPaginator(api, &iot.ListThingsInput{MaxResults: aws.Int32(250)})
	for things.HasMorePages() {
		page, err := things.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, thing := range page.Things {
			there[*thing.ThingName] = true
		}
	}
	policies := iot.NewListPoliciesPaginator(api, &iot.ListPoliciesInput{PageSize: aws.Int32(250)})
	for policies.HasMorePages() {
		page, err := policies.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Policies {
			there[*p.PolicyName] = true
		}
	}
	lost := 0
	for name := range acknowledged {
		if !there[name] {
			lost++
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	t.Logf("killed after %d acknowledged writes and %d connections; %d lost", len(acknowledged), connected.Load(), lost)
	nc, err := connectOnce(again, config, "kill-0")
	if err != nil {
		t.Fatalf("the device after the restart: %v", err)
	}
	nc.Close()
}

// connectOnce goes up to CONNACK as MQTT 3.1.1.
func connectOnce(gw *gatehouseproc.Process, config *tls.Config, clientID string) (net.Conn, error) {
	nc, err := (&net.Dialer{Timeout: 10 * time.Second}).Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.MQTT)))
	if err != nil {
		return nil, err
	}
	tc := tls.Client(nc, config)
	_ = tc.SetDeadline(time.Now().Add(10 * time.Second))
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, byte(len(clientID))}, clientID...)
	if _, err := tc.Write(append([]byte{0x10, byte(len(body))}, body...)); err != nil {
		tc.Close()
		return nil, err
	}
	var connack [4]byte
	r := bufio.NewReader(tc)
	for i := range connack {
		b, err := r.ReadByte()
		if err != nil {
			tc.Close()
			return nil, err
		}
		connack[i] = b
	}
	if connack != [4]byte{0x20, 2, 0, 0} {
		tc.Close()
		return nil, fmt.Errorf("CONNACK % x", connack)
	}
	return tc, nil
}
