// Command coredns is CoreDNS with the few plugins that a test cluster needs: it builds in a fraction of the time.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

// The order in which a query passes the plugins, whatever the order in the Corefile.
func init() {
	dnsserver.Directives = []string{"ready", "errors", "log", "cache", "template", "kubernetes"}
}

func main() { coremain.Run() }
