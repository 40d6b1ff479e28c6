// Command mochi runs the broker mochi-mqtt as a peer of the benchmarks: TLS 1.3 with client
// certificates and an access control list, as every server that they measure. It is a module of its
// own, so that Gatehouse does not depend on a peer.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func main() {
	addr := flag.String("addr", "", "address to listen on")
	webSocket := flag.String("websocket", "", "address to listen on for MQTT over WebSocket")
	pki := flag.String("pki", "", "folder with server-ecdsa.pem, server-ecdsa.key, server-rsa.pem, server-rsa.key, device-ca.pem and root-ca.pem")
	flag.Parse()
	if err := run(*addr, *webSocket, *pki); err != nil {
		log.Fatal("mochi: ", err)
	}
}

func run(addr, webSocket, pki string) error {
	var certs []tls.Certificate
	for _, kind := range []string{"ecdsa", "rsa"} {
		c, err := tls.LoadX509KeyPair(filepath.Join(pki, "server-"+kind+".pem"), filepath.Join(pki, "server-"+kind+".key"))
		if err != nil {
			return err
		}
		certs = append(certs, c)
	}
	pool := x509.NewCertPool()
	for _, name := range []string{"device-ca.pem", "root-ca.pem"} {
		pem, err := os.ReadFile(filepath.Join(pki, name))
		if err != nil {
			return err
		}
		pool.AppendCertsFromPEM(pem)
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClientWritesPending = 1 << 16 // its default drops what a benchmark counts
	caps.ReceiveMaximum, caps.MaximumInflight = 1024, math.MaxUint16
	server := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.Hook), &auth.Options{Ledger: &auth.Ledger{
		Auth: auth.AuthRules{{Allow: true}},
		ACL:  auth.ACLRules{{Filters: auth.Filters{"bench/#": auth.ReadWrite}}},
	}}); err != nil {
		return err
	}
	secure := &tls.Config{Certificates: certs, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, SessionTicketsDisabled: true}
	if err := server.AddListener(listeners.NewTCP(listeners.Config{ID: "tls", Address: addr, TLSConfig: secure})); err != nil {
		return err
	}
	if err := server.AddListener(listeners.NewWebsocket(listeners.Config{ID: "websocket", Address: webSocket, TLSConfig: secure.Clone()})); err != nil {
		return err
	}
	if err := server.Serve(); err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	<-end
	return server.Close()
}
