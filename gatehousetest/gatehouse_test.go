package gatehousetest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/gatehouse-iot/gatehouse/gatehousetest"
)

// dial makes a paho client of device and answers what it printed of its connection.
func dial(gw *gatehousetest.Gatehouse, d *gatehousetest.Device) (paho.Client, error) {
	c := paho.NewClient(paho.NewClientOptions().AddBroker("ssl://" + gw.MQTTAddr).SetClientID(d.Name).
		SetTLSConfig(d.TLSConfig).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second))
	token := c.Connect()
	token.WaitTimeout(10 * time.Second)
	return c, token.Error()
}

func TestTwoDevicesTalk(t *testing.T) {
	gw := gatehousetest.Start(t)
	from, err := dial(gw, gw.AddDevice(t, "from"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Disconnect(0)
	to, err := dial(gw, gw.AddDevice(t, "to"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Disconnect(0)
	got := make(chan string, 1)
	if token := to.Subscribe("a/+", 1, func(_ paho.Client, m paho.Message) { got <- string(m.Payload()) }); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	if token := from.Publish("a/b", 1, false, "hello"); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	select {
	case m := <-got:
		if m != "hello" {
			t.Errorf("received %q, want hello", m)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing received in 10 s")
	}
}

func TestADeactivatedDeviceIsCut(t *testing.T) {
	gw := gatehousetest.Start(t, gatehousetest.WithOpenLimits())
	d := gw.AddDevice(t, "cut")
	c, err := dial(gw, d)
	if err != nil {
		t.Fatal(err)
	}
	api := iot.NewFromConfig(gw.AWSConfig())
	if _, err := api.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &d.CertificateID, NewStatus: types.CertificateStatusInactive}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); c.IsConnected(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still connected 10 s after its certificate was deactivated")
		}
	}
	if c, err := dial(gw, d); err == nil {
		c.Disconnect(0)
		t.Error("a deactivated device connected")
	}
}
