// Command cluster starts and ends throwaway Kubernetes clusters for the tests,
// the demo and the benchmarks of mlopsctl: a real control plane on loopback
// whose nodes are simulated by kwok. It is run through the script `cluster`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const usage = `Usage:
  cluster up --dir DIR [--nodes simulated|real] [--count N] [--pod-ready-delay DURATION] [--bare] [--kubernetes MINOR]
  cluster down --dir DIR
  cluster dns --dir DIR
  cluster tools [--nodes simulated|real] [--kubernetes MINOR]

up starts a throwaway cluster and writes
  DIR/kubeconfig                  for the cluster's administrator
  DIR/bin/{helm,helm3,kubectl}    helm is Helm 4
  DIR/env                         to be sourced by a shell
  DIR/images.yaml                 with --nodes real: the part of mlops.yaml that names the images made for it
down ends it and removes all that up made. dns lists the names outside of the
cluster that its pods looked up. tools only builds the tools, and with
--nodes real the images.

  --dir DIR                    folder of this cluster; several clusters can run side by side
  --nodes simulated|real       kind of the nodes (default simulated); real is one node that runs pods beside
                               N simulated ones, which are tainted
  --count N                    number of simulated nodes, 1 to 200 (default 3)
  --pod-ready-delay DURATION   time a simulated pod needs to get ready, e.g. 2s (default 0)
  --bare                       nothing of K3s: no StorageClass, IngressClass, CRDs, load balancer
  --kubernetes MINOR           version from tools/kubernetes-MINOR instead of tools/kubernetes

Environment:
  PYTHON                       Python 3.11 with pip, which installs packages for the images (default python3)
  MLOPSCTL_TEST_CACHE          folder of the built tools (default ${XDG_CACHE_HOME:-$HOME/.cache}/mlopsctl-test)

Exit codes: 0 done, 1 failed, 2 wrong usage, or no real node can be had on this machine.
`

// usageError is an error of the caller, which exits with 2.
type usageError struct{ error }

func usageErrorf(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// options are the flags of all commands.
type options struct {
	dir           string
	nodes         string
	count         int
	podReadyDelay time.Duration
	bare          bool
	kubernetes    string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == insideCommand {
		os.Exit(inside())
	}
	err := run(os.Args[1:])
	var wrong usageError
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "cluster: %v\nTry: cluster --help\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return usageErrorf("a command is missing: up, down, dns or tools")
	}
	command := args[0]
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var o options
	switch command {
	case "up":
		flags.IntVar(&o.count, "count", 3, "")
		flags.DurationVar(&o.podReadyDelay, "pod-ready-delay", 0, "")
		flags.BoolVar(&o.bare, "bare", false, "")
		fallthrough
	case "down", "dns":
		flags.StringVar(&o.dir, "dir", "", "")
	case "tools":
	case "help", "--help", "-h":
		fmt.Print(usage)
		return nil
	default:
		return usageErrorf("unknown command %q: up, down, dns or tools", command)
	}
	if command == "up" || command == "tools" {
		flags.StringVar(&o.nodes, "nodes", "simulated", "")
		flags.StringVar(&o.kubernetes, "kubernetes", "", "")
	}
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return nil
	} else if err != nil {
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageErrorf("unexpected argument %q", flags.Arg(0))
	}
	if command == "tools" {
		return tools(o)
	}
	if o.dir == "" {
		return usageErrorf("--dir is missing")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	switch command {
	case "down":
		return down(layout(o.dir))
	case "dns":
		return printOutsideNames(layout(o.dir))
	}
	nodes, err := newNodes(o)
	if err != nil {
		return err
	}
	if o.podReadyDelay < 0 {
		return usageErrorf("--pod-ready-delay must not be negative")
	}
	return up(o, nodes)
}

// tools builds what up would build.
func tools(o options) error {
	o.count = 1
	nodes, err := newNodes(o)
	if err != nil {
		return err
	}
	built, err := buildTools(o)
	if err != nil {
		return err
	}
	return nodes.prepare(built)
}

// started is when the program began; progress lines count from here.
var started = time.Now()

// progress is where progress lines go: stdout stays free for scripts.
var progress io.Writer = os.Stderr

// say writes a progress line.
func say(format string, a ...any) {
	fmt.Fprintf(progress, "%6.1fs %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, a...))
}
