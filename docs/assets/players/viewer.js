// Written by `labs dev sync` from tools/players. Do not edit.
(() => {
// https://d3js.org/d3-array/ v3.2.5 Copyright 2010-2026 Mike Bostock
!function(t,n){"object"==typeof exports&&"undefined"!=typeof module?n(exports):"function"==typeof define&&define.amd?define(["exports"],n):n((t="undefined"!=typeof globalThis?globalThis:t||self).d3=t.d3||{})}(this,function(t){"use strict";function n(t,n){return null==t||null==n?NaN:t<n?-1:t>n?1:t>=n?0:NaN}function r(t,n){return null==t||null==n?NaN:n<t?-1:n>t?1:n>=t?0:NaN}function e(t){let e,f,i;function u(t,n,r=0,o=t.length){if(r<o){if(0!==e(n,n))return o;do{const e=r+o>>>1;f(t[e],n)<0?r=e+1:o=e}while(r<o)}return r}return 2!==t.length?(e=n,f=(r,e)=>n(t(r),e),i=(n,r)=>t(n)-r):(e=t===n||t===r?t:o,f=t,i=t),{left:u,center:function(t,n,r=0,e=t.length){const o=u(t,n,r,e-1);return o>r&&i(t[o-1],n)>-i(t[o],n)?o-1:o},right:function(t,n,r=0,o=t.length){if(r<o){if(0!==e(n,n))return o;do{const e=r+o>>>1;f(t[e],n)<=0?r=e+1:o=e}while(r<o)}return r}}}function o(){return 0}function f(t){return null===t?NaN:+t}const i=e(n),u=i.right,l=i.left,c=e(f).center;const s=h(y),a=h(function(t){const n=y(t);return(t,r,e,o,f)=>{n(t,r,(e<<=2)+0,(o<<=2)+0,f<<=2),n(t,r,e+1,o+1,f),n(t,r,e+2,o+2,f),n(t,r,e+3,o+3,f)}});function h(t){return function(n,r,e=r){if(!((r=+r)>=0))throw new RangeError("invalid rx");if(!((e=+e)>=0))throw new RangeError("invalid ry");let{data:o,width:f,height:i}=n;if(!((f=Math.floor(f))>=0))throw new RangeError("invalid width");if(!((i=Math.floor(void 0!==i?i:o.length/f))>=0))throw new RangeError("invalid height");if(!f||!i||!r&&!e)return n;const u=r&&t(r),l=e&&t(e),c=o.slice();return u&&l?(d(u,c,o,f,i),d(u,o,c,f,i),d(u,c,o,f,i),p(l,o,c,f,i),p(l,c,o,f,i),p(l,o,c,f,i)):u?(d(u,o,c,f,i),d(u,c,o,f,i),d(u,o,c,f,i)):l&&(p(l,o,c,f,i),p(l,c,o,f,i),p(l,o,c,f,i)),n}}function d(t,n,r,e,o){for(let f=0,i=e*o;f<i;)t(n,r,f,f+=e,1)}function p(t,n,r,e,o){for(let f=0,i=e*o;f<e;++f)t(n,r,f,f+i,e)}function y(t){const n=Math.floor(t);if(n===t)return function(t){const n=2*t+1;return(r,e,o,f,i)=>{if(!((f-=i)>=o))return;let u=t*e[o];const l=i*t;for(let t=o,n=o+l;t<n;t+=i)u+=e[Math.min(f,t)];for(let t=o,c=f;t<=c;t+=i)u+=e[Math.min(f,t+l)],r[t]=u/n,u-=e[Math.max(o,t-l)]}}(t);const r=t-n,e=2*t+1;return(t,o,f,i,u)=>{if(!((i-=u)>=f))return;let l=n*o[f];const c=u*n,s=c+u;for(let t=f,n=f+c;t<n;t+=u)l+=o[Math.min(i,t)];for(let n=f,a=i;n<=a;n+=u)l+=o[Math.min(i,n+c)],t[n]=(l+r*(o[Math.max(f,n-s)]+o[Math.min(i,n+s)]))/e,l-=o[Math.max(f,n-c)]}}function m(t,n){let r=0;if(void 0===n)for(let n of t)null!=n&&(n=+n)>=n&&++r;else{let e=-1;for(let o of t)null!=(o=n(o,++e,t))&&(o=+o)>=o&&++r}return r}function g(t){return 0|t.length}function v(t){return!(t>0)}function M(t){return"object"!=typeof t||"length"in t?t:Array.from(t)}function w(t,n){let r,e=0,o=0,f=0;if(void 0===n)for(let n of t)null!=n&&(n=+n)>=n&&(r=n-o,o+=r/++e,f+=r*(n-o));else{let i=-1;for(let u of t)null!=(u=n(u,++i,t))&&(u=+u)>=u&&(r=u-o,o+=r/++e,f+=r*(u-o))}if(e>1)return f/(e-1)}function b(t,n){const r=w(t,n);return r?Math.sqrt(r):r}function A(t,n){let r,e;if(void 0===n)for(const n of t)null!=n&&(void 0===r?n>=n&&(r=e=n):(r>n&&(r=n),e<n&&(e=n)));else{let o=-1;for(let f of t)null!=(f=n(f,++o,t))&&(void 0===r?f>=f&&(r=e=f):(r>f&&(r=f),e<f&&(e=f)))}return[r,e]}class x{constructor(){this._partials=new Float64Array(32),this._n=0}add(t){const n=this._partials;let r=0;for(let e=0;e<this._n&&e<32;e++){const o=n[e],f=t+o,i=Math.abs(t)<Math.abs(o)?t-(f-o):o-(f-t);i&&(n[r++]=i),t=f}return n[r]=t,this._n=r+1,this}valueOf(){const t=this._partials;let n,r,e,o=this._n,f=0;if(o>0){for(f=t[--o];o>0&&(n=f,r=t[--o],f=n+r,e=r-(f-n),!e););o>0&&(e<0&&t[o-1]<0||e>0&&t[o-1]>0)&&(r=2*e,n=f+r,r==n-f&&(f=n))}return f}}class InternMap extends Map{constructor(t,n=S){if(super(),Object.defineProperties(this,{_intern:{value:new Map},_key:{value:n}}),null!=t)for(const[n,r]of t)this.set(n,r)}get(t){return super.get(N(this,t))}has(t){return super.has(N(this,t))}set(t,n){return super.set(E(this,t),n)}delete(t){return super.delete(_(this,t))}}class InternSet extends Set{constructor(t,n=S){if(super(),Object.defineProperties(this,{_intern:{value:new Map},_key:{value:n}}),null!=t)for(const n of t)this.add(n)}has(t){return super.has(N(this,t))}add(t){return super.add(E(this,t))}delete(t){return super.delete(_(this,t))}}function N({_intern:t,_key:n},r){const e=n(r);return t.has(e)?t.get(e):r}function E({_intern:t,_key:n},r){const e=n(r);return t.has(e)?t.get(e):(t.set(e,r),r)}function _({_intern:t,_key:n},r){const e=n(r);return t.has(e)&&(r=t.get(e),t.delete(e)),r}function S(t){return null!==t&&"object"==typeof t?t.valueOf():t}function k(t){return t}function T(t,...n){return O(t,k,k,n)}function F(t,...n){return O(t,Array.from,k,n)}function I(t,n){for(let r=1,e=n.length;r<e;++r)t=t.flatMap(t=>t.pop().map(([n,r])=>[...t,n,r]));return t}function j(t,n,...r){return O(t,k,n,r)}function q(t,n,...r){return O(t,Array.from,n,r)}function R(t){if(1!==t.length)throw new Error("duplicate key");return t[0]}function O(t,n,r,e){return function t(o,f){if(f>=e.length)return r(o);const i=new InternMap,u=e[f++];let l=-1;for(const t of o){const n=u(t,++l,o),r=i.get(n);r?r.push(t):i.set(n,[t])}for(const[n,r]of i)i.set(n,t(r,f));return n(i)}(t,0)}function U(t,n){return Array.from(n,n=>t[n])}function L(t,...n){if("function"!=typeof t[Symbol.iterator])throw new TypeError("values is not iterable");t=Array.from(t);let[r]=n;if(r&&2!==r.length||n.length>1){const e=Uint32Array.from(t,(t,n)=>n);return n.length>1?(n=n.map(n=>t.map(n)),e.sort((t,r)=>{for(const e of n){const n=z(e[t],e[r]);if(n)return n}})):(r=t.map(r),e.sort((t,n)=>z(r[t],r[n]))),U(t,e)}return t.sort(P(r))}function P(t=n){if(t===n)return z;if("function"!=typeof t)throw new TypeError("compare is not a function");return(n,r)=>{const e=t(n,r);return e||0===e?e:(0===t(r,r))-(0===t(n,n))}}function z(t,n){return(null==t||!(t>=t))-(null==n||!(n>=n))||(t<n?-1:t>n?1:0)}var C=Array.prototype.slice;function D(t){return()=>t}const G=Math.sqrt(50),B=Math.sqrt(10),H=Math.sqrt(2);function J(t,n,r){const e=(n-t)/Math.max(0,r),o=Math.floor(Math.log10(e)),f=e/Math.pow(10,o),i=f>=G?10:f>=B?5:f>=H?2:1;let u,l,c;return o<0?(c=Math.pow(10,-o)/i,u=Math.round(t*c),l=Math.round(n*c),u/c<t&&++u,l/c>n&&--l,c=-c):(c=Math.pow(10,o)*i,u=Math.round(t/c),l=Math.round(n/c),u*c<t&&++u,l*c>n&&--l),l<u&&.5<=r&&r<2?J(t,n,2*r):[u,l,c]}function K(t,n,r){if(!((r=+r)>0))return[];if((t=+t)===(n=+n))return[t];const e=n<t,[o,f,i]=e?J(n,t,r):J(t,n,r);if(!(f>=o))return[];const u=f-o+1,l=new Array(u);if(e)if(i<0)for(let t=0;t<u;++t)l[t]=(f-t)/-i;else for(let t=0;t<u;++t)l[t]=(f-t)*i;else if(i<0)for(let t=0;t<u;++t)l[t]=(o+t)/-i;else for(let t=0;t<u;++t)l[t]=(o+t)*i;return l}function Q(t,n,r){return J(t=+t,n=+n,r=+r)[2]}function V(t,n,r){let e;for(;;){const o=Q(t,n,r);if(o===e||0===o||!isFinite(o))return[t,n];if(o>0){const r=Math.ceil(t/o),e=Math.floor(n/o);t=(r-(r*o>t))*o,n=(e+(e*o<n))*o}else if(o<0){const r=-o,e=Math.ceil(t*r),f=Math.floor(n*r);t=(e-(e/r>t))/r,n=(f+(f/r<n))/r}e=o}}function W(t){return Math.max(1,Math.ceil(Math.log(m(t))/Math.LN2)+1)}function X(){var t=k,n=A,r=W;function e(e){Array.isArray(e)||(e=Array.from(e));var o,f,i,l=e.length,c=new Array(l);for(o=0;o<l;++o)c[o]=t(e[o],o,e);var s=n(c),a=s[0],h=s[1],d=r(c,a,h);if(!Array.isArray(d)){const t=h,r=+d;if(n===A&&([a,h]=V(a,h,r)),(d=K(a,h,r))[0]<=a&&(i=Q(a,h,r)),d[d.length-1]>=h)if(t>=h&&n===A){const t=Q(a,h,r);isFinite(t)&&(t>0?h=(Math.floor(h/t)+1)*t:t<0&&(h=(Math.ceil(h*-t)+1)/-t))}else d.pop()}for(var p=d.length,y=0,m=p;d[y]<=a;)++y;for(;d[m-1]>h;)--m;(y||m<p)&&(d=d.slice(y,m),p=m-y);var g,v=new Array(p+1);for(o=0;o<=p;++o)(g=v[o]=[]).x0=o>0?d[o-1]:a,g.x1=o<p?d[o]:h;if(isFinite(i)){if(i>0)for(o=0;o<l;++o)null!=(f=c[o])&&a<=f&&f<=h&&v[Math.min(p,Math.floor((f-a)/i))].push(e[o]);else if(i<0)for(o=0;o<l;++o)if(null!=(f=c[o])&&a<=f&&f<=h){const t=Math.floor((a-f)*i);v[Math.min(p,t+(d[t]<=f))].push(e[o])}}else for(o=0;o<l;++o)null!=(f=c[o])&&a<=f&&f<=h&&v[u(d,f,0,p)].push(e[o]);return v}return e.value=function(n){return arguments.length?(t="function"==typeof n?n:D(n),e):t},e.domain=function(t){return arguments.length?(n="function"==typeof t?t:D([t[0],t[1]]),e):n},e.thresholds=function(t){return arguments.length?(r="function"==typeof t?t:D(Array.isArray(t)?C.call(t):t),e):r},e}function Y(t,n){let r;if(void 0===n)for(const n of t)null!=n&&(r<n||void 0===r&&n>=n)&&(r=n);else{let e=-1;for(let o of t)null!=(o=n(o,++e,t))&&(r<o||void 0===r&&o>=o)&&(r=o)}return r}function Z(t,n){let r,e=-1,o=-1;if(void 0===n)for(const n of t)++o,null!=n&&(r<n||void 0===r&&n>=n)&&(r=n,e=o);else for(let f of t)null!=(f=n(f,++o,t))&&(r<f||void 0===r&&f>=f)&&(r=f,e=o);return e}function $(t,n){let r;if(void 0===n)for(const n of t)null!=n&&(r>n||void 0===r&&n>=n)&&(r=n);else{let e=-1;for(let o of t)null!=(o=n(o,++e,t))&&(r>o||void 0===r&&o>=o)&&(r=o)}return r}function tt(t,n){let r,e=-1,o=-1;if(void 0===n)for(const n of t)++o,null!=n&&(r>n||void 0===r&&n>=n)&&(r=n,e=o);else for(let f of t)null!=(f=n(f,++o,t))&&(r>f||void 0===r&&f>=f)&&(r=f,e=o);return e}function nt(t,n,r=0,e=1/0,o){if(n=Math.floor(n),r=Math.floor(Math.max(0,r)),e=Math.floor(Math.min(t.length-1,e)),!(r<=n&&n<=e))return t;for(o=void 0===o?z:P(o);e>r;){if(e-r>600){const f=e-r+1,i=n-r+1,u=Math.log(f),l=.5*Math.exp(2*u/3),c=.5*Math.sqrt(u*l*(f-l)/f)*(i-f/2<0?-1:1);nt(t,n,Math.max(r,Math.floor(n-i*l/f+c)),Math.min(e,Math.floor(n+(f-i)*l/f+c)),o)}const f=t[n];let i=r,u=e;for(rt(t,r,n),o(t[e],f)>0&&rt(t,r,e);i<u;){for(rt(t,i,u),++i,--u;o(t[i],f)<0;)++i;for(;o(t[u],f)>0;)--u}0===o(t[r],f)?rt(t,r,u):(++u,rt(t,u,e)),u<=n&&(r=u+1),n<=u&&(e=u-1)}return t}function rt(t,n,r){const e=t[n];t[n]=t[r],t[r]=e}function et(t,r=n){let e,o=!1;if(1===r.length){let f;for(const i of t){const t=r(i);(o?n(t,f)>0:0===n(t,t))&&(e=i,f=t,o=!0)}}else for(const n of t)(o?r(n,e)>0:0===r(n,n))&&(e=n,o=!0);return e}function ot(t,n,r){if(t=Float64Array.from(function*(t,n){if(void 0===n)for(let n of t)null!=n&&(n=+n)>=n&&(yield n);else{let r=-1;for(let e of t)null!=(e=n(e,++r,t))&&(e=+e)>=e&&(yield e)}}(t,r)),(e=t.length)&&!isNaN(n=+n)){if(n<=0||e<2)return $(t);if(n>=1)return Y(t);var e,o=(e-1)*n,f=Math.floor(o),i=Y(nt(t,f).subarray(0,f+1));return i+($(t.subarray(f+1))-i)*(o-f)}}function ft(t,n,r=f){if(!isNaN(n=+n)){if(e=Float64Array.from(t,(n,e)=>f(r(t[e],e,t))),n<=0)return tt(e);if(n>=1)return Z(e);var e,o=Uint32Array.from(t,(t,n)=>n),i=e.length-1,u=Math.floor(i*n);return nt(o,u,0,i,(t,n)=>z(e[t],e[n])),(u=et(o.subarray(0,u+1),t=>e[t]))>=0?u:-1}}function it(t,n){return[t,n]}function ut(t,r=n){if(1===r.length)return tt(t,r);let e,o=-1,f=-1;for(const n of t)++f,(o<0?0===r(n,n):r(n,e)<0)&&(e=n,o=f);return o}var lt=ct(Math.random);function ct(t){return function(n,r=0,e=n.length){let o=e-(r=+r);for(;o;){const e=t()*o--|0,f=n[o+r];n[o+r]=n[e+r],n[e+r]=f}return n}}function st(t){if(!(o=t.length))return[];for(var n=-1,r=$(t,at),e=new Array(r);++n<r;)for(var o,f=-1,i=e[n]=new Array(o);++f<o;)i[f]=t[f][n];return e}function at(t){return t.length}function ht(t){return t instanceof InternSet?t:new InternSet(t)}function dt(t,n){const r=t[Symbol.iterator](),e=new Set;for(const t of n){const n=pt(t);if(e.has(n))continue;let o,f;for(;({value:o,done:f}=r.next());){if(f)return!1;const t=pt(o);if(e.add(t),Object.is(n,t))break}}return!0}function pt(t){return null!==t&&"object"==typeof t?t.valueOf():t}t.Adder=x,t.InternMap=InternMap,t.InternSet=InternSet,t.ascending=n,t.bin=X,t.bisect=u,t.bisectCenter=c,t.bisectLeft=l,t.bisectRight=u,t.bisector=e,t.blur=function(t,n){if(!((n=+n)>=0))throw new RangeError("invalid r");let r=t.length;if(!((r=Math.floor(r))>=0))throw new RangeError("invalid length");if(!r||!n)return t;const e=y(n),o=t.slice();return e(t,o,0,r,1),e(o,t,0,r,1),e(t,o,0,r,1),t},t.blur2=s,t.blurImage=a,t.count=m,t.cross=function(...t){const n="function"==typeof t[t.length-1]&&function(t){return n=>t(...n)}(t.pop()),r=(t=t.map(M)).map(g),e=t.length-1,o=new Array(e+1).fill(0),f=[];if(e<0||r.some(v))return f;for(;;){f.push(o.map((n,r)=>t[r][n]));let i=e;for(;++o[i]===r[i];){if(0===i)return n?f.map(n):f;o[i--]=0}}},t.cumsum=function(t,n){var r=0,e=0;return Float64Array.from(t,void 0===n?t=>r+=+t||0:o=>r+=+n(o,e++,t)||0)},t.descending=r,t.deviation=b,t.difference=function(t,...n){t=new InternSet(t);for(const r of n)for(const n of r)t.delete(n);return t},t.disjoint=function(t,n){const r=n[Symbol.iterator](),e=new InternSet;for(const n of t){if(e.has(n))return!1;let t,o;for(;({value:t,done:o}=r.next())&&!o;){if(Object.is(n,t))return!1;e.add(t)}}return!0},t.every=function(t,n){if("function"!=typeof n)throw new TypeError("test is not a function");let r=-1;for(const e of t)if(!n(e,++r,t))return!1;return!0},t.extent=A,t.fcumsum=function(t,n){const r=new x;let e=-1;return Float64Array.from(t,void 0===n?t=>r.add(+t||0):o=>r.add(+n(o,++e,t)||0))},t.filter=function(t,n){if("function"!=typeof n)throw new TypeError("test is not a function");const r=[];let e=-1;for(const o of t)n(o,++e,t)&&r.push(o);return r},t.flatGroup=function(t,...n){return I(F(t,...n),n)},t.flatRollup=function(t,n,...r){return I(q(t,n,...r),r)},t.fsum=function(t,n){const r=new x;if(void 0===n)for(let n of t)(n=+n)&&r.add(n);else{let e=-1;for(let o of t)(o=+n(o,++e,t))&&r.add(o)}return+r},t.greatest=et,t.greatestIndex=function(t,r=n){if(1===r.length)return Z(t,r);let e,o=-1,f=-1;for(const n of t)++f,(o<0?0===r(n,n):r(n,e)>0)&&(e=n,o=f);return o},t.group=T,t.groupSort=function(t,r,e){return(2!==r.length?L(j(t,r,e),([t,r],[e,o])=>n(r,o)||n(t,e)):L(T(t,e),([t,e],[o,f])=>r(e,f)||n(t,o))).map(([t])=>t)},t.groups=F,t.histogram=X,t.index=function(t,...n){return O(t,k,R,n)},t.indexes=function(t,...n){return O(t,Array.from,R,n)},t.intersection=function(t,...n){t=new InternSet(t),n=n.map(ht);t:for(const r of t)for(const e of n)if(!e.has(r)){t.delete(r);continue t}return t},t.least=function(t,r=n){let e,o=!1;if(1===r.length){let f;for(const i of t){const t=r(i);(o?n(t,f)<0:0===n(t,t))&&(e=i,f=t,o=!0)}}else for(const n of t)(o?r(n,e)<0:0===r(n,n))&&(e=n,o=!0);return e},t.leastIndex=ut,t.map=function(t,n){if("function"!=typeof t[Symbol.iterator])throw new TypeError("values is not iterable");if("function"!=typeof n)throw new TypeError("mapper is not a function");return Array.from(t,(r,e)=>n(r,e,t))},t.max=Y,t.maxIndex=Z,t.mean=function(t,n){let r=0,e=0;if(void 0===n)for(let n of t)null!=n&&(n=+n)>=n&&(++r,e+=n);else{let o=-1;for(let f of t)null!=(f=n(f,++o,t))&&(f=+f)>=f&&(++r,e+=f)}if(r)return e/r},t.median=function(t,n){return ot(t,.5,n)},t.medianIndex=function(t,n){return ft(t,.5,n)},t.merge=function(t){return Array.from(function*(t){for(const n of t)yield*n}(t))},t.min=$,t.minIndex=tt,t.mode=function(t,n){const r=new InternMap;if(void 0===n)for(let n of t)null!=n&&n>=n&&r.set(n,(r.get(n)||0)+1);else{let e=-1;for(let o of t)null!=(o=n(o,++e,t))&&o>=o&&r.set(o,(r.get(o)||0)+1)}let e,o=0;for(const[t,n]of r)n>o&&(o=n,e=t);return e},t.nice=V,t.pairs=function(t,n=it){const r=[];let e,o=!1;for(const f of t)o&&r.push(n(e,f)),e=f,o=!0;return r},t.permute=U,t.quantile=ot,t.quantileIndex=ft,t.quantileSorted=function(t,n,r=f){if((e=t.length)&&!isNaN(n=+n)){if(n<=0||e<2)return+r(t[0],0,t);if(n>=1)return+r(t[e-1],e-1,t);var e,o=(e-1)*n,i=Math.floor(o),u=+r(t[i],i,t);return u+(+r(t[i+1],i+1,t)-u)*(o-i)}},t.quickselect=nt,t.range=function(t,n,r){t=+t,n=+n,r=(o=arguments.length)<2?(n=t,t=0,1):o<3?1:+r;for(var e=-1,o=0|Math.max(0,Math.ceil((n-t)/r)),f=new Array(o);++e<o;)f[e]=t+e*r;return f},t.rank=function(t,r=n){if("function"!=typeof t[Symbol.iterator])throw new TypeError("values is not iterable");let e=Array.from(t);const o=new Float64Array(e.length);2!==r.length&&(e=e.map(r),r=n);const f=(t,n)=>r(e[t],e[n]);let i,u;return(t=Uint32Array.from(e,(t,n)=>n)).sort(r===n?(t,n)=>z(e[t],e[n]):P(f)),t.forEach((t,n)=>{const r=f(t,void 0===i?t:i);r>=0?((void 0===i||r>0)&&(i=t,u=n),o[t]=u):o[t]=NaN}),o},t.reduce=function(t,n,r){if("function"!=typeof n)throw new TypeError("reducer is not a function");const e=t[Symbol.iterator]();let o,f,i=-1;if(arguments.length<3){if(({done:o,value:r}=e.next()),o)return;++i}for(;({done:o,value:f}=e.next()),!o;)r=n(r,f,++i,t);return r},t.reverse=function(t){if("function"!=typeof t[Symbol.iterator])throw new TypeError("values is not iterable");return Array.from(t).reverse()},t.rollup=j,t.rollups=q,t.scan=function(t,n){const r=ut(t,n);return r<0?void 0:r},t.shuffle=lt,t.shuffler=ct,t.some=function(t,n){if("function"!=typeof n)throw new TypeError("test is not a function");let r=-1;for(const e of t)if(n(e,++r,t))return!0;return!1},t.sort=L,t.subset=function(t,n){return dt(n,t)},t.sum=function(t,n){let r=0;if(void 0===n)for(let n of t)(n=+n)&&(r+=n);else{let e=-1;for(let o of t)(o=+n(o,++e,t))&&(r+=o)}return r},t.superset=dt,t.thresholdFreedmanDiaconis=function(t,n,r){const e=m(t),o=ot(t,.75)-ot(t,.25);return e&&o?Math.ceil((r-n)/(2*o*Math.pow(e,-1/3))):1},t.thresholdScott=function(t,n,r){const e=m(t),o=b(t);return e&&o?Math.ceil((r-n)*Math.cbrt(e)/(3.49*o)):1},t.thresholdSturges=W,t.tickIncrement=Q,t.tickStep=function(t,n,r){r=+r;const e=(n=+n)<(t=+t),o=e?Q(n,t,r):Q(t,n,r);return(e?-1:1)*(o<0?1/-o:o)},t.ticks=K,t.transpose=st,t.union=function(...t){const n=new InternSet;for(const r of t)for(const t of r)n.add(t);return n},t.variance=w,t.zip=function(){return st(arguments)}});

// https://d3js.org/d3-color/ v3.1.1 Copyright 2010-2026 Mike Bostock
!function(t,e){"object"==typeof exports&&"undefined"!=typeof module?e(exports):"function"==typeof define&&define.amd?define(["exports"],e):e((t="undefined"!=typeof globalThis?globalThis:t||self).d3=t.d3||{})}(this,function(t){"use strict";function e(t,e,i){t.prototype=e.prototype=i,i.constructor=t}function i(t,e){var i=Object.create(t.prototype);for(var n in e)i[n]=e[n];return i}function n(){}var r=.7,a=1/r,s="\\s*([+-]?\\d+)\\s*",h="\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)\\s*",o="\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)%\\s*",l=/^#([0-9a-f]{3,8})$/,u=new RegExp(`^rgb\\(${s},${s},${s}\\)$`),c=new RegExp(`^rgb\\(${o},${o},${o}\\)$`),g=new RegExp(`^rgba\\(${s},${s},${s},${h}\\)$`),p=new RegExp(`^rgba\\(${o},${o},${o},${h}\\)$`),f=new RegExp(`^hsl\\(${h},${o},${o}\\)$`),d=new RegExp(`^hsla\\(${h},${o},${o},${h}\\)$`),b={aliceblue:15792383,antiquewhite:16444375,aqua:65535,aquamarine:8388564,azure:15794175,beige:16119260,bisque:16770244,black:0,blanchedalmond:16772045,blue:255,blueviolet:9055202,brown:10824234,burlywood:14596231,cadetblue:6266528,chartreuse:8388352,chocolate:13789470,coral:16744272,cornflowerblue:6591981,cornsilk:16775388,crimson:14423100,cyan:65535,darkblue:139,darkcyan:35723,darkgoldenrod:12092939,darkgray:11119017,darkgreen:25600,darkgrey:11119017,darkkhaki:12433259,darkmagenta:9109643,darkolivegreen:5597999,darkorange:16747520,darkorchid:10040012,darkred:9109504,darksalmon:15308410,darkseagreen:9419919,darkslateblue:4734347,darkslategray:3100495,darkslategrey:3100495,darkturquoise:52945,darkviolet:9699539,deeppink:16716947,deepskyblue:49151,dimgray:6908265,dimgrey:6908265,dodgerblue:2003199,firebrick:11674146,floralwhite:16775920,forestgreen:2263842,fuchsia:16711935,gainsboro:14474460,ghostwhite:16316671,gold:16766720,goldenrod:14329120,gray:8421504,green:32768,greenyellow:11403055,grey:8421504,honeydew:15794160,hotpink:16738740,indianred:13458524,indigo:4915330,ivory:16777200,khaki:15787660,lavender:15132410,lavenderblush:16773365,lawngreen:8190976,lemonchiffon:16775885,lightblue:11393254,lightcoral:15761536,lightcyan:14745599,lightgoldenrodyellow:16448210,lightgray:13882323,lightgreen:9498256,lightgrey:13882323,lightpink:16758465,lightsalmon:16752762,lightseagreen:2142890,lightskyblue:8900346,lightslategray:7833753,lightslategrey:7833753,lightsteelblue:11584734,lightyellow:16777184,lime:65280,limegreen:3329330,linen:16445670,magenta:16711935,maroon:8388608,mediumaquamarine:6737322,mediumblue:205,mediumorchid:12211667,mediumpurple:9662683,mediumseagreen:3978097,mediumslateblue:8087790,mediumspringgreen:64154,mediumturquoise:4772300,mediumvioletred:13047173,midnightblue:1644912,mintcream:16121850,mistyrose:16770273,moccasin:16770229,navajowhite:16768685,navy:128,oldlace:16643558,olive:8421376,olivedrab:7048739,orange:16753920,orangered:16729344,orchid:14315734,palegoldenrod:15657130,palegreen:10025880,paleturquoise:11529966,palevioletred:14381203,papayawhip:16773077,peachpuff:16767673,peru:13468991,pink:16761035,plum:14524637,powderblue:11591910,purple:8388736,rebeccapurple:6697881,red:16711680,rosybrown:12357519,royalblue:4286945,saddlebrown:9127187,salmon:16416882,sandybrown:16032864,seagreen:3050327,seashell:16774638,sienna:10506797,silver:12632256,skyblue:8900331,slateblue:6970061,slategray:7372944,slategrey:7372944,snow:16775930,springgreen:65407,steelblue:4620980,tan:13808780,teal:32896,thistle:14204888,tomato:16737095,turquoise:4251856,violet:15631086,wheat:16113331,white:16777215,whitesmoke:16119285,yellow:16776960,yellowgreen:10145074};function y(){return this.rgb().formatHex()}function w(){return this.rgb().formatRgb()}function m(t){var e,i;return t=(t+"").trim().toLowerCase(),(e=l.exec(t))?(i=e[1].length,e=parseInt(e[1],16),6===i?$(e):3===i?new M(e>>8&15|e>>4&240,e>>4&15|240&e,(15&e)<<4|15&e,1):8===i?N(e>>24&255,e>>16&255,e>>8&255,(255&e)/255):4===i?N(e>>12&15|e>>8&240,e>>8&15|e>>4&240,e>>4&15|240&e,((15&e)<<4|15&e)/255):null):(e=u.exec(t))?new M(e[1],e[2],e[3],1):(e=c.exec(t))?new M(255*e[1]/100,255*e[2]/100,255*e[3]/100,1):(e=g.exec(t))?N(e[1],e[2],e[3],e[4]):(e=p.exec(t))?N(255*e[1]/100,255*e[2]/100,255*e[3]/100,e[4]):(e=f.exec(t))?j(e[1],e[2]/100,e[3]/100,1):(e=d.exec(t))?j(e[1],e[2]/100,e[3]/100,e[4]):b.hasOwnProperty(t)?$(b[t]):"transparent"===t?new M(NaN,NaN,NaN,0):null}function $(t){return new M(t>>16&255,t>>8&255,255&t,1)}function N(t,e,i,n){return n<=0&&(t=e=i=NaN),new M(t,e,i,n)}function k(t){return t instanceof n||(t=m(t)),t?new M((t=t.rgb()).r,t.g,t.b,t.opacity):new M}function x(t,e,i,n){return 1===arguments.length?k(t):new M(t,e,i,null==n?1:n)}function M(t,e,i,n){this.r=+t,this.g=+e,this.b=+i,this.opacity=+n}function v(){return`#${E(this.r)}${E(this.g)}${E(this.b)}`}function q(){const t=H(this.opacity);return`${1===t?"rgb(":"rgba("}${R(this.r)}, ${R(this.g)}, ${R(this.b)}${1===t?")":`, ${t})`}`}function H(t){return isNaN(t)?1:Math.max(0,Math.min(1,t))}function R(t){return Math.max(0,Math.min(255,Math.round(t)||0))}function E(t){return((t=R(t))<16?"0":"")+t.toString(16)}function j(t,e,i,n){return n<=0?t=e=i=NaN:i<=0||i>=1?t=e=NaN:e<=0&&(t=NaN),new P(t,e,i,n)}function I(t){if(t instanceof P)return new P(t.h,t.s,t.l,t.opacity);if(t instanceof n||(t=m(t)),!t)return new P;if(t instanceof P)return t;var e=(t=t.rgb()).r/255,i=t.g/255,r=t.b/255,a=Math.min(e,i,r),s=Math.max(e,i,r),h=NaN,o=s-a,l=(s+a)/2;return o?(h=e===s?(i-r)/o+6*(i<r):i===s?(r-e)/o+2:(e-i)/o+4,o/=l<.5?s+a:2-s-a,h*=60):o=l>0&&l<1?0:h,new P(h,o,l,t.opacity)}function O(t,e,i,n){return 1===arguments.length?I(t):new P(t,e,i,null==n?1:n)}function P(t,e,i,n){this.h=+t,this.s=+e,this.l=+i,this.opacity=+n}function S(t){return(t=(t||0)%360)<0?t+360:t}function T(t){return Math.max(0,Math.min(1,t||0))}function z(t,e,i){return 255*(t<60?e+(i-e)*t/60:t<180?i:t<240?e+(i-e)*(240-t)/60:e)}e(n,m,{copy(t){return Object.assign(new this.constructor,this,t)},displayable(){return this.rgb().displayable()},hex:y,formatHex:y,formatHex8:function(){return this.rgb().formatHex8()},formatHsl:function(){return I(this).formatHsl()},formatRgb:w,toString:w}),e(M,x,i(n,{brighter(t){return t=null==t?a:Math.pow(a,t),new M(this.r*t,this.g*t,this.b*t,this.opacity)},darker(t){return t=null==t?r:Math.pow(r,t),new M(this.r*t,this.g*t,this.b*t,this.opacity)},rgb(){return this},clamp(){return new M(R(this.r),R(this.g),R(this.b),H(this.opacity))},displayable(){return-.5<=this.r&&this.r<255.5&&-.5<=this.g&&this.g<255.5&&-.5<=this.b&&this.b<255.5&&0<=this.opacity&&this.opacity<=1},hex:v,formatHex:v,formatHex8:function(){return`#${E(this.r)}${E(this.g)}${E(this.b)}${E(255*(isNaN(this.opacity)?1:this.opacity))}`},formatRgb:q,toString:q})),e(P,O,i(n,{brighter(t){return t=null==t?a:Math.pow(a,t),new P(this.h,this.s,this.l*t,this.opacity)},darker(t){return t=null==t?r:Math.pow(r,t),new P(this.h,this.s,this.l*t,this.opacity)},rgb(){var t=this.h%360+360*(this.h<0),e=isNaN(t)||isNaN(this.s)?0:this.s,i=this.l,n=i+(i<.5?i:1-i)*e,r=2*i-n;return new M(z(t>=240?t-240:t+120,r,n),z(t,r,n),z(t<120?t+240:t-120,r,n),this.opacity)},clamp(){return new P(S(this.h),T(this.s),T(this.l),H(this.opacity))},displayable(){return(0<=this.s&&this.s<=1||isNaN(this.s))&&0<=this.l&&this.l<=1&&0<=this.opacity&&this.opacity<=1},formatHsl(){const t=H(this.opacity);return`${1===t?"hsl(":"hsla("}${S(this.h)}, ${100*T(this.s)}%, ${100*T(this.l)}%${1===t?")":`, ${t})`}`}}));const C=Math.PI/180,L=180/Math.PI,A=.96422,B=.82521,D=4/29,F=6/29,G=3*F*F,J=F*F*F;function K(t){if(t instanceof U)return new U(t.l,t.a,t.b,t.opacity);if(t instanceof tt)return et(t);t instanceof M||(t=k(t));var e,i,n=Y(t.r),r=Y(t.g),a=Y(t.b),s=V((.2225045*n+.7168786*r+.0606169*a)/1);return n===r&&r===a?e=i=s:(e=V((.4360747*n+.3850649*r+.1430804*a)/A),i=V((.0139322*n+.0971045*r+.7141733*a)/B)),new U(116*s-16,500*(e-s),200*(s-i),t.opacity)}function Q(t,e,i,n){return 1===arguments.length?K(t):new U(t,e,i,null==n?1:n)}function U(t,e,i,n){this.l=+t,this.a=+e,this.b=+i,this.opacity=+n}function V(t){return t>J?Math.pow(t,1/3):t/G+D}function W(t){return t>F?t*t*t:G*(t-D)}function X(t){return 255*(t<=.0031308?12.92*t:1.055*Math.pow(t,1/2.4)-.055)}function Y(t){return(t/=255)<=.04045?t/12.92:Math.pow((t+.055)/1.055,2.4)}function Z(t){if(t instanceof tt)return new tt(t.h,t.c,t.l,t.opacity);if(t instanceof U||(t=K(t)),0===t.a&&0===t.b)return new tt(NaN,0<t.l&&t.l<100?0:NaN,t.l,t.opacity);var e=Math.atan2(t.b,t.a)*L;return new tt(e<0?e+360:e,Math.sqrt(t.a*t.a+t.b*t.b),t.l,t.opacity)}function _(t,e,i,n){return 1===arguments.length?Z(t):new tt(t,e,i,null==n?1:n)}function tt(t,e,i,n){this.h=+t,this.c=+e,this.l=+i,this.opacity=+n}function et(t){if(isNaN(t.h))return new U(t.l,0,0,t.opacity);var e=t.h*C;return new U(t.l,Math.cos(e)*t.c,Math.sin(e)*t.c,t.opacity)}e(U,Q,i(n,{brighter(t){return new U(this.l+18*(null==t?1:t),this.a,this.b,this.opacity)},darker(t){return new U(this.l-18*(null==t?1:t),this.a,this.b,this.opacity)},rgb(){var t=(this.l+16)/116,e=isNaN(this.a)?t:t+this.a/500,i=isNaN(this.b)?t:t-this.b/200;return new M(X(3.1338561*(e=A*W(e))-1.6168667*(t=1*W(t))-.4906146*(i=B*W(i))),X(-.9787684*e+1.9161415*t+.033454*i),X(.0719453*e-.2289914*t+1.4052427*i),this.opacity)}})),e(tt,_,i(n,{brighter(t){return new tt(this.h,this.c,this.l+18*(null==t?1:t),this.opacity)},darker(t){return new tt(this.h,this.c,this.l-18*(null==t?1:t),this.opacity)},rgb(){return et(this).rgb()}}));var it=-.14861,nt=1.78277,rt=-.29227,at=-.90649,st=1.97294,ht=st*at,ot=st*nt,lt=nt*rt-at*it;function ut(t,e,i,n){return 1===arguments.length?function(t){if(t instanceof ct)return new ct(t.h,t.s,t.l,t.opacity);t instanceof M||(t=k(t));var e=t.r/255,i=t.g/255,n=t.b/255,r=(lt*n+ht*e-ot*i)/(lt+ht-ot),a=n-r,s=(st*(i-r)-rt*a)/at,h=Math.sqrt(s*s+a*a)/(st*r*(1-r)),o=h?Math.atan2(s,a)*L-120:NaN;return new ct(o<0?o+360:o,h,r,t.opacity)}(t):new ct(t,e,i,null==n?1:n)}function ct(t,e,i,n){this.h=+t,this.s=+e,this.l=+i,this.opacity=+n}e(ct,ut,i(n,{brighter(t){return t=null==t?a:Math.pow(a,t),new ct(this.h,this.s,this.l*t,this.opacity)},darker(t){return t=null==t?r:Math.pow(r,t),new ct(this.h,this.s,this.l*t,this.opacity)},rgb(){var t=isNaN(this.h)?0:(this.h+120)*C,e=+this.l,i=isNaN(this.s)?0:this.s*e*(1-e),n=Math.cos(t),r=Math.sin(t);return new M(255*(e+i*(it*n+nt*r)),255*(e+i*(rt*n+at*r)),255*(e+i*(st*n)),this.opacity)}})),t.color=m,t.cubehelix=ut,t.gray=function(t,e){return new U(t,0,0,null==e?1:e)},t.hcl=_,t.hsl=O,t.lab=Q,t.lch=function(t,e,i,n){return 1===arguments.length?Z(t):new tt(i,e,t,null==n?1:n)},t.rgb=x});

// https://d3js.org/d3-interpolate/ v3.0.2 Copyright 2010-2026 Mike Bostock
!function(t,n){"object"==typeof exports&&"undefined"!=typeof module?n(exports,require("d3-color")):"function"==typeof define&&define.amd?define(["exports","d3-color"],n):n((t="undefined"!=typeof globalThis?globalThis:t||self).d3=t.d3||{},t.d3)}(this,function(t,n){"use strict";function r(t,n,r,e,a){var o=t*t,u=o*t;return((1-3*t+3*o-u)*n+(4-6*o+3*u)*r+(1+3*t+3*o-3*u)*e+u*a)/6}function e(t){var n=t.length-1;return function(e){var a=e<=0?e=0:e>=1?(e=1,n-1):Math.floor(e*n),o=t[a],u=t[a+1],i=a>0?t[a-1]:2*o-u,c=a<n-1?t[a+2]:2*u-o;return r((e-a/n)*n,i,o,u,c)}}function a(t){var n=t.length;return function(e){var a=Math.floor(((e%=1)<0?++e:e)*n),o=t[(a+n-1)%n],u=t[a%n],i=t[(a+1)%n],c=t[(a+2)%n];return r((e-a/n)*n,o,u,i,c)}}var o=t=>()=>t;function u(t,n){return function(r){return t+r*n}}function i(t,n){var r=n-t;return r?u(t,r>180||r<-180?r-360*Math.round(r/360):r):o(isNaN(t)?n:t)}function c(t){return 1===(t=+t)?l:function(n,r){return r-n?function(t,n,r){return t=Math.pow(t,r),n=Math.pow(n,r)-t,r=1/r,function(e){return Math.pow(t+e*n,r)}}(n,r,t):o(isNaN(n)?r:n)}}function l(t,n){var r=n-t;return r?u(t,r):o(isNaN(t)?n:t)}var f=function t(r){var e=c(r);function a(t,r){var a=e((t=n.rgb(t)).r,(r=n.rgb(r)).r),o=e(t.g,r.g),u=e(t.b,r.b),i=l(t.opacity,r.opacity);return function(n){return t.r=a(n),t.g=o(n),t.b=u(n),t.opacity=i(n),t+""}}return a.gamma=t,a}(1);function s(t){return function(r){var e,a,o=r.length,u=new Array(o),i=new Array(o),c=new Array(o);for(e=0;e<o;++e)a=n.rgb(r[e]),u[e]=a.r||0,i[e]=a.g||0,c[e]=a.b||0;return u=t(u),i=t(i),c=t(c),a.opacity=1,function(t){return a.r=u(t),a.g=i(t),a.b=c(t),a+""}}}var h=s(e),p=s(a);function v(t,n){n||(n=[]);var r,e=t?Math.min(n.length,t.length):0,a=n.slice();return function(o){for(r=0;r<e;++r)a[r]=t[r]*(1-o)+n[r]*o;return a}}function g(t){return ArrayBuffer.isView(t)&&!(t instanceof DataView)}function M(t,n){var r,e=n?n.length:0,a=t?Math.min(e,t.length):0,o=new Array(a),u=new Array(e);for(r=0;r<a;++r)o[r]=X(t[r],n[r]);for(;r<e;++r)u[r]=n[r];return function(t){for(r=0;r<a;++r)u[r]=o[r](t);return u}}function y(t,n){var r=new Date;return t=+t,n=+n,function(e){return r.setTime(t*(1-e)+n*e),r}}function b(t,n){return t=+t,n=+n,function(r){return t*(1-r)+n*r}}function x(t,n){var r,e={},a={};for(r in null!==t&&"object"==typeof t||(t={}),null!==n&&"object"==typeof n||(n={}),n)r in t?e[r]=X(t[r],n[r]):a[r]=n[r];return function(t){for(r in e)a[r]=e[r](t);return a}}var d=/[-+]?(?:\d+\.?\d*|\.?\d+)(?:[eE][-+]?\d+)?/g,w=new RegExp(d.source,"g");function m(t,n){var r,e,a,o=d.lastIndex=w.lastIndex=0,u=-1,i=[],c=[];for(t+="",n+="";(r=d.exec(t))&&(e=w.exec(n));)(a=e.index)>o&&(a=n.slice(o,a),i[u]?i[u]+=a:i[++u]=a),(r=r[0])===(e=e[0])?i[u]?i[u]+=e:i[++u]=e:(i[++u]=null,c.push({i:u,x:b(r,e)})),o=w.lastIndex;return o<n.length&&(a=n.slice(o),i[u]?i[u]+=a:i[++u]=a),i.length<2?c[0]?function(t){return function(n){return t(n)+""}}(c[0].x):function(t){return function(){return t}}(n):(n=c.length,function(t){for(var r,e=0;e<n;++e)i[(r=c[e]).i]=r.x(t);return i.join("")})}function X(t,r){var e,a=typeof r;return null==r||"boolean"===a?o(r):("number"===a?b:"string"===a?(e=n.color(r))?(r=e,f):m:r instanceof n.color?f:r instanceof Date?y:g(r)?v:Array.isArray(r)?M:"function"!=typeof r.valueOf&&"function"!=typeof r.toString||isNaN(r)?x:b)(t,r)}var A,N=180/Math.PI,S={translateX:0,translateY:0,rotate:0,skewX:0,scaleX:1,scaleY:1};function Y(t,n,r,e,a,o){var u,i,c;return(u=Math.sqrt(t*t+n*n))&&(t/=u,n/=u),(c=t*r+n*e)&&(r-=t*c,e-=n*c),(i=Math.sqrt(r*r+e*e))&&(r/=i,e/=i,c/=i),t*e<n*r&&(t=-t,n=-n,c=-c,u=-u),{translateX:a,translateY:o,rotate:Math.atan2(n,t)*N,skewX:Math.atan(c)*N,scaleX:u,scaleY:i}}function q(t,n,r,e){function a(t){return t.length?t.pop()+" ":""}return function(o,u){var i=[],c=[];return o=t(o),u=t(u),function(t,e,a,o,u,i){if(t!==a||e!==o){var c=u.push("translate(",null,n,null,r);i.push({i:c-4,x:b(t,a)},{i:c-2,x:b(e,o)})}else(a||o)&&u.push("translate("+a+n+o+r)}(o.translateX,o.translateY,u.translateX,u.translateY,i,c),function(t,n,r,o){t!==n?(t-n>180?n+=360:n-t>180&&(t+=360),o.push({i:r.push(a(r)+"rotate(",null,e)-2,x:b(t,n)})):n&&r.push(a(r)+"rotate("+n+e)}(o.rotate,u.rotate,i,c),function(t,n,r,o){t!==n?o.push({i:r.push(a(r)+"skewX(",null,e)-2,x:b(t,n)}):n&&r.push(a(r)+"skewX("+n+e)}(o.skewX,u.skewX,i,c),function(t,n,r,e,o,u){if(t!==r||n!==e){var i=o.push(a(o)+"scale(",null,",",null,")");u.push({i:i-4,x:b(t,r)},{i:i-2,x:b(n,e)})}else 1===r&&1===e||o.push(a(o)+"scale("+r+","+e+")")}(o.scaleX,o.scaleY,u.scaleX,u.scaleY,i,c),o=u=null,function(t){for(var n,r=-1,e=c.length;++r<e;)i[(n=c[r]).i]=n.x(t);return i.join("")}}}var D=q(function(t){const n=new("function"==typeof DOMMatrix?DOMMatrix:WebKitCSSMatrix)(t+"");return n.isIdentity?S:Y(n.a,n.b,n.c,n.d,n.e,n.f)},"px, ","px)","deg)"),R=q(function(t){return null==t?S:(A||(A=document.createElementNS("http://www.w3.org/2000/svg","g")),A.setAttribute("transform",t),(t=A.transform.baseVal.consolidate())?Y((t=t.matrix).a,t.b,t.c,t.d,t.e,t.f):S)},", ",")",")");function T(t){return((t=Math.exp(t))+1/t)/2}var j=function t(n,r,e){function a(t,a){var o,u,i=t[0],c=t[1],l=t[2],f=a[0],s=a[1],h=a[2],p=f-i,v=s-c,g=p*p+v*v;if(g<1e-12)u=Math.log(h/l)/n,o=function(t){return[i+t*p,c+t*v,l*Math.exp(n*t*u)]};else{var M=Math.sqrt(g),y=(h*h-l*l+e*g)/(2*l*r*M),b=(h*h-l*l-e*g)/(2*h*r*M),x=Math.log(Math.sqrt(y*y+1)-y),d=Math.log(Math.sqrt(b*b+1)-b);u=(d-x)/n,o=function(t){var e,a=t*u,o=T(x),f=l/(r*M)*(o*(e=n*a+x,((e=Math.exp(2*e))-1)/(e+1))-function(t){return((t=Math.exp(t))-1/t)/2}(x));return[i+f*p,c+f*v,l*o/T(n*a+x)]}}return o.duration=1e3*Math.abs(u)*n/Math.SQRT2,o}return a.rho=function(n){var r=Math.max(.001,+n),e=r*r;return t(r,e,e*e)},a}(Math.SQRT2,2,4);function k(t){return function(r,e){var a=t((r=n.hsl(r)).h,(e=n.hsl(e)).h),o=l(r.s,e.s),u=l(r.l,e.l),i=l(r.opacity,e.opacity);return function(t){return r.h=a(t),r.s=o(t),r.l=u(t),r.opacity=i(t),r+""}}}var C=k(i),B=k(l);function H(t){return function(r,e){var a=t((r=n.hcl(r)).h,(e=n.hcl(e)).h),o=l(r.c,e.c),u=l(r.l,e.l),i=l(r.opacity,e.opacity);return function(t){return r.h=a(t),r.c=o(t),r.l=u(t),r.opacity=i(t),r+""}}}var I=H(i),L=H(l);function O(t){return function r(e){function a(r,a){var o=t((r=n.cubehelix(r)).h,(a=n.cubehelix(a)).h),u=l(r.s,a.s),i=l(r.l,a.l),c=l(r.opacity,a.opacity);return function(t){return r.h=o(t),r.s=u(t),r.l=i(Math.pow(t,e)),r.opacity=c(t),r+""}}return e=+e,a.gamma=r,a}(1)}var E=O(i),V=O(l);t.interpolate=X,t.interpolateArray=function(t,n){return(g(n)?v:M)(t,n)},t.interpolateBasis=e,t.interpolateBasisClosed=a,t.interpolateCubehelix=E,t.interpolateCubehelixLong=V,t.interpolateDate=y,t.interpolateDiscrete=function(t){var n=t.length;return function(r){return t[Math.max(0,Math.min(n-1,Math.floor(r*n)))]}},t.interpolateHcl=I,t.interpolateHclLong=L,t.interpolateHsl=C,t.interpolateHslLong=B,t.interpolateHue=function(t,n){var r=i(+t,+n);return function(t){var n=r(t);return n-360*Math.floor(n/360)}},t.interpolateLab=function(t,r){var e=l((t=n.lab(t)).l,(r=n.lab(r)).l),a=l(t.a,r.a),o=l(t.b,r.b),u=l(t.opacity,r.opacity);return function(n){return t.l=e(n),t.a=a(n),t.b=o(n),t.opacity=u(n),t+""}},t.interpolateNumber=b,t.interpolateNumberArray=v,t.interpolateObject=x,t.interpolateRgb=f,t.interpolateRgbBasis=h,t.interpolateRgbBasisClosed=p,t.interpolateRound=function(t,n){return t=+t,n=+n,function(r){return Math.round(t*(1-r)+n*r)}},t.interpolateString=m,t.interpolateTransformCss=D,t.interpolateTransformSvg=R,t.interpolateZoom=j,t.piecewise=function(t,n){void 0===n&&(n=t,t=X);for(var r=0,e=n.length-1,a=n[0],o=new Array(e<0?0:e);r<e;)o[r]=t(a,a=n[++r]);return function(t){var n=Math.max(0,Math.min(e-1,Math.floor(t*=e)));return o[n](t-n)}},t.quantize=function(t,n){for(var r=new Array(n),e=0;e<n;++e)r[e]=t(e/(n-1));return r}});

// https://d3js.org/d3-format/ v3.1.3 Copyright 2010-2026 Mike Bostock
!function(t,i){"object"==typeof exports&&"undefined"!=typeof module?i(exports):"function"==typeof define&&define.amd?define(["exports"],i):i((t="undefined"!=typeof globalThis?globalThis:t||self).d3=t.d3||{})}(this,function(t){"use strict";function i(t,i){if(!isFinite(t)||0===t)return null;var r=(t=i?t.toExponential(i-1):t.toExponential()).indexOf("e"),n=t.slice(0,r);return[n.length>1?n[0]+n.slice(2):n,+t.slice(r+1)]}function r(t){return(t=i(Math.abs(t)))?t[1]:NaN}var n,e=/^(?:(.)?([<>=^]))?([+\-( ])?([$#])?(0)?(\d+)?(,)?(\.\d+)?(~)?([a-z%])?$/i;function o(t){if(!(i=e.exec(t)))throw new Error("invalid format: "+t);var i;return new a({fill:i[1],align:i[2],sign:i[3],symbol:i[4],zero:i[5],width:i[6],comma:i[7],precision:i[8]&&i[8].slice(1),trim:i[9],type:i[10]})}function a(t){this.fill=void 0===t.fill?" ":t.fill+"",this.align=void 0===t.align?">":t.align+"",this.sign=void 0===t.sign?"-":t.sign+"",this.symbol=void 0===t.symbol?"":t.symbol+"",this.zero=!!t.zero,this.width=void 0===t.width?void 0:+t.width,this.comma=!!t.comma,this.precision=void 0===t.precision?void 0:+t.precision,this.trim=!!t.trim,this.type=void 0===t.type?"":t.type+""}function s(t,r){var n=i(t,r);if(!n)return t+"";var e=n[0],o=n[1];return o<0?"0."+new Array(-o).join("0")+e:e.length>o+1?e.slice(0,o+1)+"."+e.slice(o+1):e+new Array(o-e.length+2).join("0")}o.prototype=a.prototype,a.prototype.toString=function(){return this.fill+this.align+this.sign+this.symbol+(this.zero?"0":"")+(void 0===this.width?"":Math.max(1,0|this.width))+(this.comma?",":"")+(void 0===this.precision?"":"."+Math.max(0,0|this.precision))+(this.trim?"~":"")+this.type};var c={"%":(t,i)=>(100*t).toFixed(i),b:t=>Math.round(t).toString(2),c:t=>t+"",d:function(t){return Math.abs(t=Math.round(t))>=1e21?t.toLocaleString("en").replace(/,/g,""):t.toString(10)},e:(t,i)=>t.toExponential(i),f:(t,i)=>t.toFixed(i),g:(t,i)=>t.toPrecision(i),o:t=>Math.round(t).toString(8),p:(t,i)=>s(100*t,i),r:s,s:function(t,r){var e=i(t,r);if(!e)return n=void 0,t.toPrecision(r);var o=e[0],a=e[1],s=a-(n=3*Math.max(-8,Math.min(8,Math.floor(a/3))))+1,c=o.length;return s===c?o:s>c?o+new Array(s-c+1).join("0"):s>0?o.slice(0,s)+"."+o.slice(s):"0."+new Array(1-s).join("0")+i(t,Math.max(0,r+s-1))[0]},X:t=>Math.round(t).toString(16).toUpperCase(),x:t=>Math.round(t).toString(16)};function f(t){return t}var u,h=Array.prototype.map,l=["y","z","a","f","p","n","µ","m","","k","M","G","T","P","E","Z","Y"];function d(t){var i,e,a=void 0===t.grouping||void 0===t.thousands?f:(i=h.call(t.grouping,Number),e=t.thousands+"",function(t,r){for(var n=t.length,o=[],a=0,s=i[0],c=0;n>0&&s>0&&(c+s+1>r&&(s=Math.max(1,r-c)),o.push(t.substring(n-=s,n+s)),!((c+=s+1)>r));)s=i[a=(a+1)%i.length];return o.reverse().join(e)}),s=void 0===t.currency?"":t.currency[0]+"",u=void 0===t.currency?"":t.currency[1]+"",d=void 0===t.decimal?".":t.decimal+"",m=void 0===t.numerals?f:function(t){return function(i){return i.replace(/[0-9]/g,function(i){return t[+i]})}}(h.call(t.numerals,String)),p=void 0===t.percent?"%":t.percent+"",g=void 0===t.minus?"−":t.minus+"",v=void 0===t.nan?"NaN":t.nan+"";function x(t,i){var r=(t=o(t)).fill,e=t.align,f=t.sign,h=t.symbol,x=t.zero,M=t.width,y=t.comma,b=t.precision,w=t.trim,S=t.type;"n"===S?(y=!0,S="g"):c[S]||(void 0===b&&(b=12),w=!0,S="g"),(x||"0"===r&&"="===e)&&(x=!0,r="0",e="=");var N=(i&&void 0!==i.prefix?i.prefix:"")+("$"===h?s:"#"===h&&/[boxX]/.test(S)?"0"+S.toLowerCase():""),k=("$"===h?u:/[%p]/.test(S)?p:"")+(i&&void 0!==i.suffix?i.suffix:""),P=c[S],j=/[defgprs%]/.test(S);function z(t){var i,o,s,c=N,u=k;if("c"===S)u=P(t)+u,t="";else{var h=(t=+t)<0||1/t<0;if(t=isNaN(t)?v:P(Math.abs(t),b),w&&(t=function(t){t:for(var i,r=t.length,n=1,e=-1;n<r;++n)switch(t[n]){case".":e=i=n;break;case"0":0===e&&(e=n),i=n;break;default:if(!+t[n])break t;e>0&&(e=0)}return e>0?t.slice(0,e)+t.slice(i+1):t}(t)),h&&0===+t&&"+"!==f&&(h=!1),c=(h?"("===f?f:g:"-"===f||"("===f?"":f)+c,u=("s"!==S||isNaN(t)||void 0===n?"":l[8+n/3])+u+(h&&"("===f?")":""),j)for(i=-1,o=t.length;++i<o;)if(48>(s=t.charCodeAt(i))||s>57){u=(46===s?d+t.slice(i+1):t.slice(i))+u,t=t.slice(0,i);break}}y&&!x&&(t=a(t,1/0));var p=c.length+t.length+u.length,z=p<M?new Array(M-p+1).join(r):"";switch(y&&x&&(t=a(z+t,z.length?M-u.length:1/0),z=""),e){case"<":t=c+t+u+z;break;case"=":t=c+z+t+u;break;case"^":t=z.slice(0,p=z.length>>1)+c+t+u+z.slice(p);break;default:t=z+c+t+u}return m(t)}return b=void 0===b?6:/[gprs]/.test(S)?Math.max(1,Math.min(21,b)):Math.max(0,Math.min(20,b)),z.toString=function(){return t+""},z}return{format:x,formatPrefix:function(t,i){var n=3*Math.max(-8,Math.min(8,Math.floor(r(i)/3))),e=Math.pow(10,-n),a=x(((t=o(t)).type="f",t),{suffix:l[8+n/3]});return function(t){return a(e*t)}}}}function m(i){return u=d(i),t.format=u.format,t.formatPrefix=u.formatPrefix,u}t.format=void 0,t.formatPrefix=void 0,m({thousands:",",grouping:[3],currency:["$",""]}),t.FormatSpecifier=a,t.formatDefaultLocale=m,t.formatLocale=d,t.formatSpecifier=o,t.precisionFixed=function(t){return Math.max(0,-r(Math.abs(t)))},t.precisionPrefix=function(t,i){return Math.max(0,3*Math.max(-8,Math.min(8,Math.floor(r(i)/3)))-r(Math.abs(t)))},t.precisionRound=function(t,i){return t=Math.abs(t),i=Math.abs(i)-t,Math.max(0,r(i)-r(t))+1}});

// https://d3js.org/d3-scale/ v4.0.3 Copyright 2010-2026 Mike Bostock
!function(n,t){"object"==typeof exports&&"undefined"!=typeof module?t(exports,require("d3-array"),require("d3-interpolate"),require("d3-format"),require("d3-time"),require("d3-time-format")):"function"==typeof define&&define.amd?define(["exports","d3-array","d3-interpolate","d3-format","d3-time","d3-time-format"],t):t((n="undefined"!=typeof globalThis?globalThis:n||self).d3=n.d3||{},n.d3,n.d3,n.d3,n.d3,n.d3)}(this,function(n,t,r,e,u,i){"use strict";function o(n,t){switch(arguments.length){case 0:break;case 1:this.range(n);break;default:this.range(t).domain(n)}return this}function a(n,t){switch(arguments.length){case 0:break;case 1:"function"==typeof n?this.interpolator(n):this.range(n);break;default:this.domain(n),"function"==typeof t?this.interpolator(t):this.range(t)}return this}const c=Symbol("implicit");function l(){var n=new t.InternMap,r=[],e=[],u=c;function i(t){let i=n.get(t);if(void 0===i){if(u!==c)return u;n.set(t,i=r.push(t)-1)}return e[i%e.length]}return i.domain=function(e){if(!arguments.length)return r.slice();r=[],n=new t.InternMap;for(const t of e)n.has(t)||n.set(t,r.push(t)-1);return i},i.range=function(n){return arguments.length?(e=Array.from(n),i):e.slice()},i.unknown=function(n){return arguments.length?(u=n,i):u},i.copy=function(){return l(r,e).unknown(u)},o.apply(i,arguments),i}function f(){var n,r,e=l().unknown(void 0),u=e.domain,i=e.range,a=0,c=1,s=!1,p=0,h=0,g=.5;function m(){var e=u().length,o=c<a,l=o?c:a,f=o?a:c;n=(f-l)/Math.max(1,e-p+2*h),s&&(n=Math.floor(n)),l+=(f-l-n*(e-p))*g,r=n*(1-p),s&&(l=Math.round(l),r=Math.round(r));var m=t.range(e).map(function(t){return l+n*t});return i(o?m.reverse():m)}return delete e.unknown,e.domain=function(n){return arguments.length?(u(n),m()):u()},e.range=function(n){return arguments.length?([a,c]=n,a=+a,c=+c,m()):[a,c]},e.rangeRound=function(n){return[a,c]=n,a=+a,c=+c,s=!0,m()},e.bandwidth=function(){return r},e.step=function(){return n},e.round=function(n){return arguments.length?(s=!!n,m()):s},e.padding=function(n){return arguments.length?(p=Math.min(1,h=+n),m()):p},e.paddingInner=function(n){return arguments.length?(p=Math.min(1,n),m()):p},e.paddingOuter=function(n){return arguments.length?(h=+n,m()):h},e.align=function(n){return arguments.length?(g=Math.max(0,Math.min(1,n)),m()):g},e.copy=function(){return f(u(),[a,c]).round(s).paddingInner(p).paddingOuter(h).align(g)},o.apply(m(),arguments)}function s(n){var t=n.copy;return n.padding=n.paddingOuter,delete n.paddingInner,delete n.paddingOuter,n.copy=function(){return s(t())},n}function p(n){return+n}var h=[0,1];function g(n){return n}function m(n,t){return(t-=n=+n)?function(r){return(r-n)/t}:(r=isNaN(t)?NaN:.5,function(){return r});var r}function d(n,t,r){var e=n[0],u=n[1],i=t[0],o=t[1];return u<e?(e=m(u,e),i=r(o,i)):(e=m(e,u),i=r(i,o)),function(n){return i(e(n))}}function y(n,r,e){var u=Math.min(n.length,r.length)-1,i=new Array(u),o=new Array(u),a=-1;for(n[u]<n[0]&&(n=n.slice().reverse(),r=r.slice().reverse());++a<u;)i[a]=m(n[a],n[a+1]),o[a]=e(r[a],r[a+1]);return function(r){var e=t.bisect(n,r,1,u)-1;return o[e](i[e](r))}}function v(n,t){return t.domain(n.domain()).range(n.range()).interpolate(n.interpolate()).clamp(n.clamp()).unknown(n.unknown())}function M(){var n,t,e,u,i,o,a=h,c=h,l=r.interpolate,f=g;function s(){var n,t,r,e=Math.min(a.length,c.length);return f!==g&&(n=a[0],t=a[e-1],n>t&&(r=n,n=t,t=r),f=function(r){return Math.max(n,Math.min(t,r))}),u=e>2?y:d,i=o=null,m}function m(t){return null==t||isNaN(t=+t)?e:(i||(i=u(a.map(n),c,l)))(n(f(t)))}return m.invert=function(e){return f(t((o||(o=u(c,a.map(n),r.interpolateNumber)))(e)))},m.domain=function(n){return arguments.length?(a=Array.from(n,p),s()):a.slice()},m.range=function(n){return arguments.length?(c=Array.from(n),s()):c.slice()},m.rangeRound=function(n){return c=Array.from(n),l=r.interpolateRound,s()},m.clamp=function(n){return arguments.length?(f=!!n||g,s()):f!==g},m.interpolate=function(n){return arguments.length?(l=n,s()):l},m.unknown=function(n){return arguments.length?(e=n,m):e},function(r,e){return n=r,t=e,s()}}function k(){return M()(g,g)}function w(n,r,u,i){var o,a=t.tickStep(n,r,u);switch((i=e.formatSpecifier(null==i?",f":i)).type){case"s":var c=Math.max(Math.abs(n),Math.abs(r));return null!=i.precision||isNaN(o=e.precisionPrefix(a,c))||(i.precision=o),e.formatPrefix(i,c);case"":case"e":case"g":case"p":case"r":null!=i.precision||isNaN(o=e.precisionRound(a,Math.max(Math.abs(n),Math.abs(r))))||(i.precision=o-("e"===i.type));break;case"f":case"%":null!=i.precision||isNaN(o=e.precisionFixed(a))||(i.precision=o-2*("%"===i.type))}return e.format(i)}function N(n){var r=n.domain;return n.ticks=function(n){var e=r();return t.ticks(e[0],e[e.length-1],null==n?10:n)},n.tickFormat=function(n,t){var e=r();return w(e[0],e[e.length-1],null==n?10:n,t)},n.nice=function(e){null==e&&(e=10);var u,i,o=r(),a=0,c=o.length-1,l=o[a],f=o[c],s=10;for(f<l&&(i=l,l=f,f=i,i=a,a=c,c=i);s-- >0;){if((i=t.tickIncrement(l,f,e))===u)return o[a]=l,o[c]=f,r(o);if(i>0)l=Math.floor(l/i)*i,f=Math.ceil(f/i)*i;else{if(!(i<0))break;l=Math.ceil(l*i)/i,f=Math.floor(f*i)/i}u=i}return n},n}function x(n,t){var r,e=0,u=(n=n.slice()).length-1,i=n[e],o=n[u];return o<i&&(r=e,e=u,u=r,r=i,i=o,o=r),n[e]=t.floor(i),n[u]=t.ceil(o),n}function b(n){return Math.log(n)}function q(n){return Math.exp(n)}function S(n){return-Math.log(-n)}function A(n){return-Math.exp(-n)}function D(n){return isFinite(n)?+("1e"+n):n<0?0:n}function I(n){return(t,r)=>-n(-t,r)}function R(n){const r=n(b,q),u=r.domain;let i,o,a=10;function c(){return i=function(n){return n===Math.E?Math.log:10===n&&Math.log10||2===n&&Math.log2||(n=Math.log(n),t=>Math.log(t)/n)}(a),o=function(n){return 10===n?D:n===Math.E?Math.exp:t=>Math.pow(n,t)}(a),u()[0]<0?(i=I(i),o=I(o),n(S,A)):n(b,q),r}return r.base=function(n){return arguments.length?(a=+n,c()):a},r.domain=function(n){return arguments.length?(u(n),c()):u()},r.ticks=n=>{const r=u();let e=r[0],c=r[r.length-1];const l=c<e;l&&([e,c]=[c,e]);let f,s,p=i(e),h=i(c);const g=null==n?10:+n;let m=[];if(!(a%1)&&h-p<g){if(p=Math.floor(p),h=Math.ceil(h),e>0){for(;p<=h;++p)for(f=1;f<a;++f)if(s=p<0?f/o(-p):f*o(p),!(s<e)){if(s>c)break;m.push(s)}}else for(;p<=h;++p)for(f=a-1;f>=1;--f)if(s=p>0?f/o(-p):f*o(p),!(s<e)){if(s>c)break;m.push(s)}2*m.length<g&&(m=t.ticks(e,c,g))}else m=t.ticks(p,h,Math.min(h-p,g)).map(o);return l?m.reverse():m},r.tickFormat=(n,t)=>{if(null==n&&(n=10),null==t&&(t=10===a?"s":","),"function"!=typeof t&&(a%1||null!=(t=e.formatSpecifier(t)).precision||(t.trim=!0),t=e.format(t)),n===1/0)return t;const u=Math.max(1,a*n/r.ticks().length);return n=>{let r=n/o(Math.round(i(n)));return r*a<a-.5&&(r*=a),r<=u?t(n):""}},r.nice=()=>u(x(u(),{floor:n=>o(Math.floor(i(n))),ceil:n=>o(Math.ceil(i(n)))})),r}function T(n){return function(t){return Math.sign(t)*Math.log1p(Math.abs(t/n))}}function F(n){return function(t){return Math.sign(t)*Math.expm1(Math.abs(t))*n}}function O(n){var t=1,r=n(T(t),F(t));return r.constant=function(r){return arguments.length?n(T(t=+r),F(t)):t},N(r)}function P(n){return function(t){return t<0?-Math.pow(-t,n):Math.pow(t,n)}}function E(n){return n<0?-Math.sqrt(-n):Math.sqrt(n)}function L(n){return n<0?-n*n:n*n}function Q(n){var t=n(g,g),r=1;return t.exponent=function(t){return arguments.length?1===(r=+t)?n(g,g):.5===r?n(E,L):n(P(r),P(1/r)):r},N(t)}function U(){var n=Q(M());return n.copy=function(){return v(n,U()).exponent(n.exponent())},o.apply(n,arguments),n}function Y(n){return Math.sign(n)*n*n}function B(n){return new Date(n)}function C(n){return n instanceof Date?+n:Math.round(n)}function H(n,t,r,e,u,i,o,a,c,l){var f=k(),s=f.invert,p=f.domain,h=l(".%L"),g=l(":%S"),m=l("%I:%M"),d=l("%I %p"),y=l("%a %d"),M=l("%b %d"),w=l("%B"),N=l("%Y");function b(n){return(c(n)<n?h:a(n)<n?g:o(n)<n?m:i(n)<n?d:e(n)<n?u(n)<n?y:M:r(n)<n?w:N)(n)}return f.invert=function(n){return new Date(Math.round(s(n)))},f.domain=function(n){return arguments.length?p(Array.from(n,C)):p().map(B)},f.ticks=function(t){var r=p();return n(r[0],r[r.length-1],null==t?10:t)},f.tickFormat=function(n,t){return null==t?b:l(t)},f.nice=function(n){var r=p();return n&&"function"==typeof n.range||(n=t(r[0],r[r.length-1],null==n?10:n)),n?p(x(r,n)):f},f.copy=function(){return v(f,H(n,t,r,e,u,i,o,a,c,l))},f}function W(){var n,t,e,u,i,o=0,a=1,c=g,l=!1;function f(t){return null==t||isNaN(t=+t)?i:c(0===e?.5:(t=(u(t)-n)*e,l?Math.max(0,Math.min(1,t)):t))}function s(n){return function(t){var r,e;return arguments.length?([r,e]=t,c=n(r,e),f):[c(0),c(1)]}}return f.domain=function(r){return arguments.length?([o,a]=r,n=u(o=+o),t=u(a=+a),e=n===t?0:1/(t-n),f):[o,a]},f.clamp=function(n){return arguments.length?(l=!!n,f):l},f.interpolator=function(n){return arguments.length?(c=n,f):c},f.range=s(r.interpolate),f.rangeRound=s(r.interpolateRound),f.unknown=function(n){return arguments.length?(i=n,f):i},function(r){return u=r,n=r(o),t=r(a),e=n===t?0:1/(t-n),f}}function j(n,t){return t.domain(n.domain()).interpolator(n.interpolator()).clamp(n.clamp()).unknown(n.unknown())}function z(){var n=Q(W());return n.copy=function(){return j(n,z()).exponent(n.exponent())},a.apply(n,arguments)}function G(){var n,t,e,u,i,o,a,c=0,l=.5,f=1,s=1,p=g,h=!1;function m(n){return null==n||isNaN(n=+n)?a:(n=.5+((n=+o(n))-t)*(s*n<s*t?u:i),p(h?Math.max(0,Math.min(1,n)):n))}function d(n){return function(t){var e,u,i;return arguments.length?([e,u,i]=t,p=r.piecewise(n,[e,u,i]),m):[p(0),p(.5),p(1)]}}return m.domain=function(r){return arguments.length?([c,l,f]=r,n=o(c=+c),t=o(l=+l),e=o(f=+f),u=n===t?0:.5/(t-n),i=t===e?0:.5/(e-t),s=t<n?-1:1,m):[c,l,f]},m.clamp=function(n){return arguments.length?(h=!!n,m):h},m.interpolator=function(n){return arguments.length?(p=n,m):p},m.range=d(r.interpolate),m.rangeRound=d(r.interpolateRound),m.unknown=function(n){return arguments.length?(a=n,m):a},function(r){return o=r,n=r(c),t=r(l),e=r(f),u=n===t?0:.5/(t-n),i=t===e?0:.5/(e-t),s=t<n?-1:1,m}}function J(){var n=Q(G());return n.copy=function(){return j(n,J()).exponent(n.exponent())},a.apply(n,arguments)}n.scaleBand=f,n.scaleDiverging=function n(){var t=N(G()(g));return t.copy=function(){return j(t,n())},a.apply(t,arguments)},n.scaleDivergingLog=function n(){var t=R(G()).domain([.1,1,10]);return t.copy=function(){return j(t,n()).base(t.base())},a.apply(t,arguments)},n.scaleDivergingPow=J,n.scaleDivergingSqrt=function(){return J.apply(null,arguments).exponent(.5)},n.scaleDivergingSymlog=function n(){var t=O(G());return t.copy=function(){return j(t,n()).constant(t.constant())},a.apply(t,arguments)},n.scaleIdentity=function n(t){var r;function e(n){return null==n||isNaN(n=+n)?r:n}return e.invert=e,e.domain=e.range=function(n){return arguments.length?(t=Array.from(n,p),e):t.slice()},e.unknown=function(n){return arguments.length?(r=n,e):r},e.copy=function(){return n(t).unknown(r)},t=arguments.length?Array.from(t,p):[0,1],N(e)},n.scaleImplicit=c,n.scaleLinear=function n(){var t=k();return t.copy=function(){return v(t,n())},o.apply(t,arguments),N(t)},n.scaleLog=function n(){const t=R(M()).domain([1,10]);return t.copy=()=>v(t,n()).base(t.base()),o.apply(t,arguments),t},n.scaleOrdinal=l,n.scalePoint=function(){return s(f.apply(null,arguments).paddingInner(1))},n.scalePow=U,n.scaleQuantile=function n(){var r,e=[],u=[],i=[];function a(){var n=0,r=Math.max(1,u.length);for(i=new Array(r-1);++n<r;)i[n-1]=t.quantileSorted(e,n/r);return c}function c(n){return null==n||isNaN(n=+n)?r:u[t.bisect(i,n)]}return c.invertExtent=function(n){var t=u.indexOf(n);return t<0?[NaN,NaN]:[t>0?i[t-1]:e[0],t<i.length?i[t]:e[e.length-1]]},c.domain=function(n){if(!arguments.length)return e.slice();e=[];for(let t of n)null==t||isNaN(t=+t)||e.push(t);return e.sort(t.ascending),a()},c.range=function(n){return arguments.length?(u=Array.from(n),a()):u.slice()},c.unknown=function(n){return arguments.length?(r=n,c):r},c.quantiles=function(){return i.slice()},c.copy=function(){return n().domain(e).range(u).unknown(r)},o.apply(c,arguments)},n.scaleQuantize=function n(){var r,e=0,u=1,i=1,a=[.5],c=[0,1];function l(n){return null!=n&&n<=n?c[t.bisect(a,n,0,i)]:r}function f(){var n=-1;for(a=new Array(i);++n<i;)a[n]=((n+1)*u-(n-i)*e)/(i+1);return l}return l.domain=function(n){return arguments.length?([e,u]=n,e=+e,u=+u,f()):[e,u]},l.range=function(n){return arguments.length?(i=(c=Array.from(n)).length-1,f()):c.slice()},l.invertExtent=function(n){var t=c.indexOf(n);return t<0?[NaN,NaN]:t<1?[e,a[0]]:t>=i?[a[i-1],u]:[a[t-1],a[t]]},l.unknown=function(n){return arguments.length?(r=n,l):l},l.thresholds=function(){return a.slice()},l.copy=function(){return n().domain([e,u]).range(c).unknown(r)},o.apply(N(l),arguments)},n.scaleRadial=function n(){var t,r=k(),e=[0,1],u=!1;function i(n){var e=function(n){return Math.sign(n)*Math.sqrt(Math.abs(n))}(r(n));return isNaN(e)?t:u?Math.round(e):e}return i.invert=function(n){return r.invert(Y(n))},i.domain=function(n){return arguments.length?(r.domain(n),i):r.domain()},i.range=function(n){return arguments.length?(r.range((e=Array.from(n,p)).map(Y)),i):e.slice()},i.rangeRound=function(n){return i.range(n).round(!0)},i.round=function(n){return arguments.length?(u=!!n,i):u},i.clamp=function(n){return arguments.length?(r.clamp(n),i):r.clamp()},i.unknown=function(n){return arguments.length?(t=n,i):t},i.copy=function(){return n(r.domain(),e).round(u).clamp(r.clamp()).unknown(t)},o.apply(i,arguments),N(i)},n.scaleSequential=function n(){var t=N(W()(g));return t.copy=function(){return j(t,n())},a.apply(t,arguments)},n.scaleSequentialLog=function n(){var t=R(W()).domain([1,10]);return t.copy=function(){return j(t,n()).base(t.base())},a.apply(t,arguments)},n.scaleSequentialPow=z,n.scaleSequentialQuantile=function n(){var r=[],e=g;function u(n){if(null!=n&&!isNaN(n=+n))return e((t.bisect(r,n,1)-1)/(r.length-1))}return u.domain=function(n){if(!arguments.length)return r.slice();r=[];for(let t of n)null==t||isNaN(t=+t)||r.push(t);return r.sort(t.ascending),u},u.interpolator=function(n){return arguments.length?(e=n,u):e},u.range=function(){return r.map((n,t)=>e(t/(r.length-1)))},u.quantiles=function(n){return Array.from({length:n+1},(e,u)=>t.quantile(r,u/n))},u.copy=function(){return n(e).domain(r)},a.apply(u,arguments)},n.scaleSequentialSqrt=function(){return z.apply(null,arguments).exponent(.5)},n.scaleSequentialSymlog=function n(){var t=O(W());return t.copy=function(){return j(t,n()).constant(t.constant())},a.apply(t,arguments)},n.scaleSqrt=function(){return U.apply(null,arguments).exponent(.5)},n.scaleSymlog=function n(){var t=O(M());return t.copy=function(){return v(t,n()).constant(t.constant())},o.apply(t,arguments)},n.scaleThreshold=function n(){var r,e=[.5],u=[0,1],i=1;function a(n){return null!=n&&n<=n?u[t.bisect(e,n,0,i)]:r}return a.domain=function(n){return arguments.length?(e=Array.from(n),i=Math.min(e.length,u.length-1),a):e.slice()},a.range=function(n){return arguments.length?(u=Array.from(n),i=Math.min(e.length,u.length-1),a):u.slice()},a.invertExtent=function(n){var t=u.indexOf(n);return[e[t-1],e[t]]},a.unknown=function(n){return arguments.length?(r=n,a):r},a.copy=function(){return n().domain(e).range(u).unknown(r)},o.apply(a,arguments)},n.scaleTime=function(){return o.apply(H(u.timeTicks,u.timeTickInterval,u.timeYear,u.timeMonth,u.timeWeek,u.timeDay,u.timeHour,u.timeMinute,u.timeSecond,i.timeFormat).domain([new Date(2e3,0,1),new Date(2e3,0,2)]),arguments)},n.scaleUtc=function(){return o.apply(H(u.utcTicks,u.utcTickInterval,u.utcYear,u.utcMonth,u.utcWeek,u.utcDay,u.utcHour,u.utcMinute,u.utcSecond,i.utcFormat).domain([Date.UTC(2e3,0,1),Date.UTC(2e3,0,2)]),arguments)},n.tickFormat=w});

// https://d3js.org/d3-selection/ v3.0.1 Copyright 2010-2026 Mike Bostock
!function(t,n){"object"==typeof exports&&"undefined"!=typeof module?n(exports):"function"==typeof define&&define.amd?define(["exports"],n):n((t="undefined"!=typeof globalThis?globalThis:t||self).d3=t.d3||{})}(this,function(t){"use strict";var n="http://www.w3.org/1999/xhtml",e={svg:"http://www.w3.org/2000/svg",xhtml:n,xlink:"http://www.w3.org/1999/xlink",xml:"http://www.w3.org/XML/1998/namespace",xmlns:"http://www.w3.org/2000/xmlns/"};function r(t){var n=t+="",r=n.indexOf(":");return r>=0&&"xmlns"!==(n=t.slice(0,r))&&(t=t.slice(r+1)),e.hasOwnProperty(n)?{space:e[n],local:t}:t}function i(t){return function(){var e=this.ownerDocument,r=this.namespaceURI;return r===n&&e.documentElement.namespaceURI===n?e.createElement(t):e.createElementNS(r,t)}}function o(t){return function(){return this.ownerDocument.createElementNS(t.space,t.local)}}function u(t){var n=r(t);return(n.local?o:i)(n)}function s(){}function c(t){return null==t?s:function(){return this.querySelector(t)}}function l(t){return null==t?[]:Array.isArray(t)?t:Array.from(t)}function a(){return[]}function f(t){return null==t?a:function(){return this.querySelectorAll(t)}}function h(t){return function(){return this.matches(t)}}function p(t){return function(n){return n.matches(t)}}var _=Array.prototype.find;function d(){return this.firstElementChild}var y=Array.prototype.filter;function m(){return Array.from(this.children)}function v(t){return new Array(t.length)}function g(t,n){this.ownerDocument=t.ownerDocument,this.namespaceURI=t.namespaceURI,this._next=null,this._parent=t,this.__data__=n}function w(t,n,e,r,i,o){for(var u,s=0,c=n.length,l=o.length;s<l;++s)(u=n[s])?(u.__data__=o[s],r[s]=u):e[s]=new g(t,o[s]);for(;s<c;++s)(u=n[s])&&(i[s]=u)}function A(t,n,e,r,i,o,u){var s,c,l,a=new Map,f=n.length,h=o.length,p=new Array(f);for(s=0;s<f;++s)(c=n[s])&&(p[s]=l=u.call(c,c.__data__,s,n)+"",a.has(l)?i[s]=c:a.set(l,c));for(s=0;s<h;++s)l=u.call(t,o[s],s,o)+"",(c=a.get(l))?(r[s]=c,c.__data__=o[s],a.delete(l)):e[s]=new g(t,o[s]);for(s=0;s<f;++s)(c=n[s])&&a.get(p[s])===c&&(i[s]=c)}function x(t){return t.__data__}function S(t){return"object"==typeof t&&"length"in t?t:Array.from(t)}function b(t,n){return t<n?-1:t>n?1:t>=n?0:NaN}function E(t){return function(){this.removeAttribute(t)}}function N(t){return function(){this.removeAttributeNS(t.space,t.local)}}function C(t,n){return function(){this.setAttribute(t,n)}}function L(t,n){return function(){this.setAttributeNS(t.space,t.local,n)}}function T(t,n){return function(){var e=n.apply(this,arguments);null==e?this.removeAttribute(t):this.setAttribute(t,e)}}function B(t,n){return function(){var e=n.apply(this,arguments);null==e?this.removeAttributeNS(t.space,t.local):this.setAttributeNS(t.space,t.local,e)}}function P(t){return t.ownerDocument&&t.ownerDocument.defaultView||t.document&&t||t.defaultView}function q(t){return function(){this.style.removeProperty(t)}}function M(t,n,e){return function(){this.style.setProperty(t,n,e)}}function D(t,n,e){return function(){var r=n.apply(this,arguments);null==r?this.style.removeProperty(t):this.style.setProperty(t,r,e)}}function V(t,n){return t.style.getPropertyValue(n)||P(t).getComputedStyle(t,null).getPropertyValue(n)}function O(t){return function(){delete this[t]}}function R(t,n){return function(){this[t]=n}}function j(t,n){return function(){var e=n.apply(this,arguments);null==e?delete this[t]:this[t]=e}}function H(t){return t.trim().split(/^|\s+/)}function I(t){return t.classList||new U(t)}function U(t){this._node=t,this._names=H(t.getAttribute("class")||"")}function X(t,n){for(var e=I(t),r=-1,i=n.length;++r<i;)e.add(n[r])}function G(t,n){for(var e=I(t),r=-1,i=n.length;++r<i;)e.remove(n[r])}function Y(t){return function(){X(this,t)}}function k(t){return function(){G(this,t)}}function z(t,n){return function(){(n.apply(this,arguments)?X:G)(this,t)}}function F(){this.textContent=""}function J(t){return function(){this.textContent=t}}function K(t){return function(){var n=t.apply(this,arguments);this.textContent=null==n?"":n}}function Q(){this.innerHTML=""}function W(t){return function(){this.innerHTML=t}}function Z(t){return function(){var n=t.apply(this,arguments);this.innerHTML=null==n?"":n}}function $(){this.nextSibling&&this.parentNode.appendChild(this)}function tt(){this.previousSibling&&this.parentNode.insertBefore(this,this.parentNode.firstChild)}function nt(){return null}function et(){var t=this.parentNode;t&&t.removeChild(this)}function rt(){var t=this.cloneNode(!1),n=this.parentNode;return n?n.insertBefore(t,this.nextSibling):t}function it(){var t=this.cloneNode(!0),n=this.parentNode;return n?n.insertBefore(t,this.nextSibling):t}function ot(t){return function(){var n=this.__on;if(n){for(var e,r=0,i=-1,o=n.length;r<o;++r)e=n[r],t.type&&e.type!==t.type||e.name!==t.name?n[++i]=e:this.removeEventListener(e.type,e.listener,e.options);++i?n.length=i:delete this.__on}}}function ut(t,n,e){return function(){var r,i=this.__on,o=function(t){return function(n){t.call(this,n,this.__data__)}}(n);if(i)for(var u=0,s=i.length;u<s;++u)if((r=i[u]).type===t.type&&r.name===t.name)return this.removeEventListener(r.type,r.listener,r.options),this.addEventListener(r.type,r.listener=o,r.options=e),void(r.value=n);this.addEventListener(t.type,o,e),r={type:t.type,name:t.name,value:n,listener:o,options:e},i?i.push(r):this.__on=[r]}}function st(t,n,e){var r=P(t),i=r.CustomEvent;"function"==typeof i?i=new i(n,e):(i=r.document.createEvent("Event"),e?(i.initEvent(n,e.bubbles,e.cancelable),i.detail=e.detail):i.initEvent(n,!1,!1)),t.dispatchEvent(i)}function ct(t,n){return function(){return st(this,t,n)}}function lt(t,n){return function(){return st(this,t,n.apply(this,arguments))}}g.prototype={constructor:g,appendChild:function(t){return this._parent.insertBefore(t,this._next)},insertBefore:function(t,n){return this._parent.insertBefore(t,n)},querySelector:function(t){return this._parent.querySelector(t)},querySelectorAll:function(t){return this._parent.querySelectorAll(t)}},U.prototype={add:function(t){this._names.indexOf(t)<0&&(this._names.push(t),this._node.setAttribute("class",this._names.join(" ")))},remove:function(t){var n=this._names.indexOf(t);n>=0&&(this._names.splice(n,1),this._node.setAttribute("class",this._names.join(" ")))},contains:function(t){return this._names.indexOf(t)>=0}};var at=[null];function ft(t,n){this._groups=t,this._parents=n}function ht(){return new ft([[document.documentElement]],at)}function pt(t){return"string"==typeof t?new ft([[document.querySelector(t)]],[document.documentElement]):new ft([[t]],at)}ft.prototype=ht.prototype={constructor:ft,select:function(t){"function"!=typeof t&&(t=c(t));for(var n=this._groups,e=n.length,r=new Array(e),i=0;i<e;++i)for(var o,u,s=n[i],l=s.length,a=r[i]=new Array(l),f=0;f<l;++f)(o=s[f])&&(u=t.call(o,o.__data__,f,s))&&("__data__"in o&&(u.__data__=o.__data__),a[f]=u);return new ft(r,this._parents)},selectAll:function(t){t="function"==typeof t?function(t){return function(){return l(t.apply(this,arguments))}}(t):f(t);for(var n=this._groups,e=n.length,r=[],i=[],o=0;o<e;++o)for(var u,s=n[o],c=s.length,a=0;a<c;++a)(u=s[a])&&(r.push(t.call(u,u.__data__,a,s)),i.push(u));return new ft(r,i)},selectChild:function(t){return this.select(null==t?d:function(t){return function(){return _.call(this.children,t)}}("function"==typeof t?t:p(t)))},selectChildren:function(t){return this.selectAll(null==t?m:function(t){return function(){return y.call(this.children,t)}}("function"==typeof t?t:p(t)))},filter:function(t){"function"!=typeof t&&(t=h(t));for(var n=this._groups,e=n.length,r=new Array(e),i=0;i<e;++i)for(var o,u=n[i],s=u.length,c=r[i]=[],l=0;l<s;++l)(o=u[l])&&t.call(o,o.__data__,l,u)&&c.push(o);return new ft(r,this._parents)},data:function(t,n){if(!arguments.length)return Array.from(this,x);var e,r=n?A:w,i=this._parents,o=this._groups;"function"!=typeof t&&(e=t,t=function(){return e});for(var u=o.length,s=new Array(u),c=new Array(u),l=new Array(u),a=0;a<u;++a){var f=i[a],h=o[a],p=h.length,_=S(t.call(f,f&&f.__data__,a,i)),d=_.length,y=c[a]=new Array(d),m=s[a]=new Array(d);r(f,h,y,m,l[a]=new Array(p),_,n);for(var v,g,b=0,E=0;b<d;++b)if(v=y[b]){for(b>=E&&(E=b+1);!(g=m[E])&&++E<d;);v._next=g||null}}return(s=new ft(s,i))._enter=c,s._exit=l,s},enter:function(){return new ft(this._enter||this._groups.map(v),this._parents)},exit:function(){return new ft(this._exit||this._groups.map(v),this._parents)},join:function(t,n,e){var r=this.enter(),i=this,o=this.exit();return"function"==typeof t?(r=t(r))&&(r=r.selection()):r=r.append(t+""),null!=n&&(i=n(i))&&(i=i.selection()),null==e?o.remove():e(o),r&&i?r.merge(i).order():i},merge:function(t){for(var n=t.selection?t.selection():t,e=this._groups,r=n._groups,i=e.length,o=r.length,u=Math.min(i,o),s=new Array(i),c=0;c<u;++c)for(var l,a=e[c],f=r[c],h=a.length,p=s[c]=new Array(h),_=0;_<h;++_)(l=a[_]||f[_])&&(p[_]=l);for(;c<i;++c)s[c]=e[c];return new ft(s,this._parents)},selection:function(){return this},order:function(){for(var t=this._groups,n=-1,e=t.length;++n<e;)for(var r,i=t[n],o=i.length-1,u=i[o];--o>=0;)(r=i[o])&&(u&&4^r.compareDocumentPosition(u)&&u.parentNode.insertBefore(r,u),u=r);return this},sort:function(t){function n(n,e){return n&&e?t(n.__data__,e.__data__):!n-!e}t||(t=b);for(var e=this._groups,r=e.length,i=new Array(r),o=0;o<r;++o){for(var u,s=e[o],c=s.length,l=i[o]=new Array(c),a=0;a<c;++a)(u=s[a])&&(l[a]=u);l.sort(n)}return new ft(i,this._parents).order()},call:function(){var t=arguments[0];return arguments[0]=this,t.apply(null,arguments),this},nodes:function(){return Array.from(this)},node:function(){for(var t=this._groups,n=0,e=t.length;n<e;++n)for(var r=t[n],i=0,o=r.length;i<o;++i){var u=r[i];if(u)return u}return null},size:function(){let t=0;for(const n of this)++t;return t},empty:function(){return!this.node()},each:function(t){for(var n=this._groups,e=0,r=n.length;e<r;++e)for(var i,o=n[e],u=0,s=o.length;u<s;++u)(i=o[u])&&t.call(i,i.__data__,u,o);return this},attr:function(t,n){var e=r(t);if(arguments.length<2){var i=this.node();return e.local?i.getAttributeNS(e.space,e.local):i.getAttribute(e)}return this.each((null==n?e.local?N:E:"function"==typeof n?e.local?B:T:e.local?L:C)(e,n))},style:function(t,n,e){return arguments.length>1?this.each((null==n?q:"function"==typeof n?D:M)(t,n,null==e?"":e)):V(this.node(),t)},property:function(t,n){return arguments.length>1?this.each((null==n?O:"function"==typeof n?j:R)(t,n)):this.node()[t]},classed:function(t,n){var e=H(t+"");if(arguments.length<2){for(var r=I(this.node()),i=-1,o=e.length;++i<o;)if(!r.contains(e[i]))return!1;return!0}return this.each(("function"==typeof n?z:n?Y:k)(e,n))},text:function(t){return arguments.length?this.each(null==t?F:("function"==typeof t?K:J)(t)):this.node().textContent},html:function(t){return arguments.length?this.each(null==t?Q:("function"==typeof t?Z:W)(t)):this.node().innerHTML},raise:function(){return this.each($)},lower:function(){return this.each(tt)},append:function(t){var n="function"==typeof t?t:u(t);return this.select(function(){return this.appendChild(n.apply(this,arguments))})},insert:function(t,n){var e="function"==typeof t?t:u(t),r=null==n?nt:"function"==typeof n?n:c(n);return this.select(function(){return this.insertBefore(e.apply(this,arguments),r.apply(this,arguments)||null)})},remove:function(){return this.each(et)},clone:function(t){return this.select(t?it:rt)},datum:function(t){return arguments.length?this.property("__data__",t):this.node().__data__},on:function(t,n,e){var r,i,o=function(t){return t.trim().split(/^|\s+/).map(function(t){var n="",e=t.indexOf(".");return e>=0&&(n=t.slice(e+1),t=t.slice(0,e)),{type:t,name:n}})}(t+""),u=o.length;if(!(arguments.length<2)){for(s=n?ut:ot,r=0;r<u;++r)this.each(s(o[r],n,e));return this}var s=this.node().__on;if(s)for(var c,l=0,a=s.length;l<a;++l)for(r=0,c=s[l];r<u;++r)if((i=o[r]).type===c.type&&i.name===c.name)return c.value},dispatch:function(t,n){return this.each(("function"==typeof n?lt:ct)(t,n))},[Symbol.iterator]:function*(){for(var t=this._groups,n=0,e=t.length;n<e;++n)for(var r,i=t[n],o=0,u=i.length;o<u;++o)(r=i[o])&&(yield r)}};var _t=0;function dt(){return new yt}function yt(){this._="@"+(++_t).toString(36)}function mt(t){let n;for(;n=t.sourceEvent;)t=n;return t}function vt(t,n){if(t=mt(t),void 0===n&&(n=t.currentTarget),n){var e=n.ownerSVGElement||n;if(e.createSVGPoint){var r=e.createSVGPoint();return r.x=t.clientX,r.y=t.clientY,[(r=r.matrixTransform(n.getScreenCTM().inverse())).x,r.y]}if(n.getBoundingClientRect){var i=n.getBoundingClientRect();return[t.clientX-i.left-n.clientLeft,t.clientY-i.top-n.clientTop]}}return[t.pageX,t.pageY]}yt.prototype=dt.prototype={constructor:yt,get:function(t){for(var n=this._;!(n in t);)if(!(t=t.parentNode))return;return t[n]},set:function(t,n){return t[this._]=n},remove:function(t){return this._ in t&&delete t[this._]},toString:function(){return this._}},t.create=function(t){return pt(u(t).call(document.documentElement))},t.creator=u,t.local=dt,t.matcher=h,t.namespace=r,t.namespaces=e,t.pointer=vt,t.pointers=function(t,n){return t.target&&(t=mt(t),void 0===n&&(n=t.currentTarget),t=t.touches||[t]),Array.from(t,t=>vt(t,n))},t.select=pt,t.selectAll=function(t){return"string"==typeof t?new ft([document.querySelectorAll(t)],[document.documentElement]):new ft([l(t)],at)},t.selection=ht,t.selector=c,t.selectorAll=f,t.style=V,t.window=P});

// Makes a viewer of a document in an element; gives what leads to a moment of one of its plays.
function mount(viewer, data, moved) {
  const plays = data.run.plays;

  // -- small things ----------------------------------------------------------------------------
  const two = value => String(value).padStart(2, "0");
  const clock = moment => {
    const whole = Math.round(moment), rest = whole % 1000, seconds = (whole - rest) / 1000;
    const told = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return rest ? `${told}.${String(rest).padStart(3, "0")}` : told;
  };
  const long = span => {
    for (const [unit, size] of [["h", 3600000], ["min", 60000], ["s", 1000]])
      if (span >= size) return `${+(span / size).toPrecision(3)} ${unit}`;
    return `${Math.round(span)} ms`;
  };
  const counted = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
  const numbers = spans => spans.flatMap(([low, high]) => Array.from({length: high - low + 1}, (_, at) => low + at));
  const listed = (names, most = 3) =>
    names.slice(0, most).join("; ") + (names.length > most ? `; and ${names.length - most} more` : "");
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };

  // What every record is, unless it is given up.
  const BEFORE = ["waiting", "work", "done"];
  const maps = (play, by) => play.mappings.some(one => one.name === by);
  // What is done by nobody's mapping was handed over by a person.
  const redrives = (play, fate) => fate.how === "done" && !maps(play, fate.by);

  // -- one play, prepared ----------------------------------------------------------------------
  const prepared = new Map();
  function prepare(number) {
    if (prepared.has(number)) return prepared.get(number);
    const play = plays[number], view = data.views[number];
    const name = id => play.records[id - 1].name;
    const batches = play.batches.map((batch, at) => ({
      ...batch, key: view.keys[at], ids: numbers(batch.records), until: batch.end ?? play.length,
    }));
    const readers = [...new Set(play.records.flatMap(one => one.fates.map(fate => fate.by)))];
    const made = {play, view, batches, readers, name, events: events(play, batches, name)};
    made.laneOf = batch => batch.shard === null ? `${batch.by}, environment ${batch.lane}`
      : `${batch.by}, ${play.shards[batch.shard - 1].name}, lane ${batch.lane}`;
    made.invocations = new Map(play.invocations.filter(one => one.batch).map(one => [one.batch, one]));
    prepared.set(number, made);
    return made;
  }
  function events(play, batches, name) {
    const found = [{at: 0, what: "The play begins."}];
    const add = (at, what, more = {}) => found.push({at, what, ...more});
    // In one millisecond what somebody did, and the state of a mapping, come before what follows from them.
    play.moments.forEach((one, at) => add(one.at, `${at + 1}: ${one.what}.`));
    for (const said of d3.group(play.states, one => `${one.at} ${one.by}`).values())
      add(said[0].at, `${said[0].by}: ${said.map(one => one.what).join("; ")}.`);
    for (const written of d3.group(play.records, one => `${one.written} ${one.shard}`).values())
      add(written[0].written, `${counted(written.length, "record")} written: ${listed(written.map(one => one.name))}.`,
        {kind: "written", ids: written.map(one => one.id)});
    for (const one of batches) {
      const called = one.attempt ? `${one.batch}, attempt ${one.attempt}` : one.batch;
      if (one.attempt)
        add(one.start, `${called} goes to the function: ${counted(one.ids.length, "record")} (${listed(one.ids.map(name))}).`,
          {kind: "start", batch: one.id, ids: one.ids});
      if (one.end !== null) {
        const rule = one.rule ? ` ${play.rules[one.rule - 1].rule}` : "";
        const next = one.next > one.end ? ` The next attempt comes after ${long(one.next - one.end)}.` : "";
        add(one.end, `${called}: ${data.attempts[one.key].name}.${rule}${next}`, {kind: "end", batch: one.id, ids: one.ids});
      }
    }
    const aside = play.records.flatMap(one => one.fates.map(fate => ({fate, one}))).filter(({fate}) => fate.batch === null && fate.at !== null);
    for (const ones of d3.group(aside, ({fate}) => `${fate.at} ${fate.by} ${fate.how} ${fate.why}`).values()) {
      const {fate} = ones[0], names = ones.map(({one}) => one.name), ids = ones.map(({one}) => one.id);
      add(fate.at, `${counted(ids.length, "record")} ${data.records[fate.how].name}${fate.why && `, ${fate.why}`}: ${listed(names)}.`,
        {kind: "aside", by: fate.by, ids});
    }
    for (const one of play.notes)
      add(one.at, `${one.condition}: ${listed(numbers(one.records).map(name))} given up; `
        + (one.arrived ? "a note arrived." : `no note arrived (${one.why}).`),
      {kind: "note", batch: one.batch, ids: numbers(one.records)});
    for (const alarm of play.alarms) {
      for (const [at, state, why] of alarm.states) add(at, `${alarm.name} is ${state}. ${why}`);
      for (const [at, state, protocol, endpoint] of alarm.told)
        add(at, `${alarm.name}: ${endpoint || protocol} is told of ${state} by ${protocol}.`);
    }
    add(play.length, "The play ends.");
    return found.map((one, order) => ({...one, order})).sort((a, b) => a.at - b.at || a.order - b.order);
  }

  // -- the page --------------------------------------------------------------------------------
  const state = {number: 0, step: 0, batch: null, query: "", reader: "", timer: 0};
  const choose = make("select");
  plays.forEach((play, at) => choose.append(make("option", {value: at}, play.title || `play ${at + 1}`)));
  const reader = make("select");
  const find = make("input", {type: "search", autocomplete: "off"});
  const buttons = {};
  const steps = make("div", {class: "steps", role: "group", "aria-label": "Steps"});
  for (const [key, sign, label] of [["first", "⇤", "To the start"], ["back", "←", "One event back"],
    ["run", "Play", "Play"], ["next", "→", "One event on"], ["last", "⇥", "To the end"]]) {
    buttons[key] = make("button", {type: "button", "aria-label": label, title: label}, sign);
    steps.append(buttons[key]);
  }
  const slider = make("input", {type: "range", min: 0, step: 1, "aria-label": "Event of the play"});
  const now = make("p", {class: "now", "aria-live": "polite"});
  const tray = make("div");
  const picture = make("div", {class: "picture", tabindex: 0, role: "group",
    "aria-label": "What happened over time. Arrow keys step, space plays."});
  const figures = make("ul", {class: "figures"});
  const tell = one => make("li", {}, `${one.name}: `, make("b", {}, one.value), one.limit && ` (${one.limit})`,
    one.met === null ? "" : one.met ? " ✓" : " ✕");
  const about = make("div", {class: "about"});
  const choosePlay = make("label", {}, "Play", choose), chooseReader = make("label", {}, "Reader", reader);
  const findIt = make("label", {}, "Find a record or batch", find);
  viewer.className = "viewer";
  if (data.name) viewer.append(make("h2", {}, data.name));
  viewer.append(
    make("div", {class: "controls"}, choosePlay, chooseReader, findIt, steps),
    figures, slider, now, tray, picture, ...legends(), about);
  choosePlay.hidden = plays.length < 2 || switched();
  document.documentElement.classList.add("scripted");
  // -- switches: the plays are their positions, the last switch changes first ---------------------
  function switched() {
    return data.switches.length > 0;
  }
  const turned = data.switches.map(() => 0);
  const panel = make("div", {class: "switches"});
  data.switches.forEach((one, place) => {
    const choose = make("fieldset", {}, make("legend", {}, one.name));
    one.labels.forEach((label, at) => {
      const radio = make("input", {type: "radio", name: `switch-${place}`, value: at});
      radio.addEventListener("change", () => {
        turned[place] = at;
        open(turned.reduce((number, chosen, which) => number * data.switches[which].labels.length + chosen, 0));
        go(Infinity);
      });
      choose.append(make("label", {}, radio, label));
    });
    panel.append(choose);
  });
  if (switched()) viewer.prepend(panel, figures);
  function turn(number) {
    for (let place = turned.length - 1, rest = number; place >= 0; place -= 1) {
      const many = data.switches[place].labels.length;
      turned[place] = rest % many;
      rest = Math.floor(rest / many);
      panel.querySelector(`input[name="switch-${place}"][value="${turned[place]}"]`).checked = true;
    }
  }
  // Every sign that some play has: turning a switch moves nothing.
  function legends() {
    const key = (kind, sign, said) => make("li", {}, make("span", {class: `key ${kind}`, "aria-hidden": "true"}, sign), ` ${said}`);
    const legend = (title, states, used, ...more) => make("ul", {class: "legend"}, make("li", {}, `${title}:`),
      ...Object.entries(states).filter(([name]) => used.has(name)).map(([, one]) => key(`tone-${one.tone}`, one.sign, one.name)), ...more);
    const again = (play, one, fate) => redrives(play, fate) && one.fates.some(other => other.how !== "done" && maps(play, other.by));
    const fates = plays.flatMap(play => play.records.flatMap(one => one.fates.map(fate => again(play, one, fate) ? "redriven" : fate.how)));
    const attempts = new Set(data.views.flatMap(view => view.keys)), alarms = plays.flatMap(play => play.alarms), found = [];
    if (fates.length) found.push(legend("Records", data.records, new Set([...BEFORE, ...fates])));
    if (attempts.size) found.push(legend("Attempts (choose one)", data.attempts, attempts, key("tone-quiet", "12", "so many records or attempts in one mark")));
    if (alarms.length) found.push(legend("Alarms", data.alarms, new Set(Object.keys(data.alarms)), key("told", "", "somebody is told")));
    if (data.views.some(view => view.pauses.length)) found.push(legend("Time", {}, new Set(), key("pause", "…", "a pause, folded")));
    return found;
  }

  // -- what is looked for ----------------------------------------------------------------------
  function matches(one) {
    const made = prepare(state.number), query = state.query;
    if (!query) return true;
    if (one.batch !== undefined && typeof one.batch === "number"
      && made.batches[one.batch - 1].batch.toLowerCase().includes(query)) return true;
    return (one.ids ?? []).some(id => named(made, id).includes(query));
  }
  const named = (made, id) => `${made.name(id)} ${made.play.records[id - 1].item}`.toLowerCase();
  const hit = (made, batch) => !state.query || batch.batch.toLowerCase().includes(state.query)
    || batch.ids.some(id => named(made, id).includes(state.query));

  // -- records at a moment ---------------------------------------------------------------------
  // Several things happen in one millisecond: what counts is which events have been stepped over.
  function recordState(made, id, step) {
    if (!(made.written.get(id) <= step)) return "";
    const [how, at] = made.fate.get(id) ?? ["", Infinity];
    if (!how) return "";
    if (at <= step) return how !== "done" && made.again.get(id) <= step ? "redriven" : how;
    return (made.work.get(id) ?? []).some(([from, to]) => from <= step && step < to) ? "work" : "waiting";
  }
  function index(made) {
    made.written = new Map();
    made.work = new Map();
    made.fate = new Map();
    made.again = new Map();
    const starts = new Map(), ends = new Map(), asides = new Map();
    made.events.forEach((event, at) => {
      if (event.kind === "written") for (const id of event.ids) made.written.set(id, at);
      if (event.kind === "start") starts.set(event.batch, at);
      if (event.kind === "end" || event.kind === "note") ends.set(event.batch, at);
      if (event.kind === "aside" && event.by === state.reader) for (const id of event.ids) asides.set(id, at);
    });
    for (const batch of made.batches) {
      if (batch.by !== state.reader || !starts.has(batch.id)) continue;
      const span = [starts.get(batch.id), ends.get(batch.id) ?? Infinity];
      for (const id of batch.ids) {
        if (!made.work.has(id)) made.work.set(id, []);
        made.work.get(id).push(span);
      }
    }
    for (const record of made.play.records) for (const fate of record.fates) {
      if (fate.by === state.reader) made.fate.set(record.id, [fate.how, fate.batch === null ? asides.get(record.id) ?? Infinity : ends.get(fate.batch)]);
      else if (maps(made.play, state.reader) && redrives(made.play, fate)) made.again.set(record.id, ends.get(fate.batch));
    }
  }

  // -- drawing ---------------------------------------------------------------------------------
  let drawn = null;
  const HIGH = 18, GAP = 8;
  function draw() {
    const made = prepare(state.number), {play, view} = made;
    const wide = Math.max(300, picture.clientWidth);
    const x = scale(view, wide);
    picture.replaceChildren();
    const svg = d3.select(picture).append("svg").attr("width", wide);
    drawn = {made, x, svg, wide, marks: [], records: []};
    axis(view);
    let y = momentRow(play, 36);
    const shards = new Set(play.records.map(one => one.shard));
    for (const shard of play.shards) {
      if (shards.has(shard.id)) y = recordRow(shard, y);
      for (const [lane, ones] of laneGroups(made, shard.id)) y = laneRow(lane, ones, y);
    }
    for (const [lane, ones] of laneGroups(made, null)) y = laneRow(lane, ones, y);
    for (const alarm of play.alarms) y = alarmRow(alarm, y);
    for (const chart of view.charts) y = chartRow(chart, y);
    svg.attr("height", y + 4).attr("viewBox", `0 0 ${wide} ${y + 4}`);
    drawn.cursor = svg.append("line").attr("class", "cursor").attr("y1", 16).attr("y2", y);
    svg.on("pointerdown", event => { drag(event); svg.node().setPointerCapture?.(event.pointerId); });
    svg.on("pointermove", event => { if (event.buttons) drag(event); });
  }
  // Where moments lie. A pause has room for a mark where it begins and for its band, the right end
  // for a last mark.
  const MARK = 22;
  const folded = view => new Set(view.pauses.map(one => one[0]));
  function scale(view, wide) {
    const pauses = folded(view), ends = [0];
    view.places.slice(1).forEach(([, place], at) => {
      const [from, before] = view.places[at], room = (place - before) / view.places.at(-1)[1] * wide;
      ends.push(ends[at] + (pauses.has(from) ? Math.max(room, 2 * MARK) : room));
    });
    return d3.scaleLinear().domain(view.places.map(one => one[0]))
      .range(ends.map(one => 2 + one / ends.at(-1) * (wide - MARK - 4))).clamp(true);
  }
  // Ticks are evenly apart; where a pause ends its moment is named if there is room.
  function axis(view) {
    const {svg, x, wide} = drawn, pauses = folded(view), taken = [], precise = x.domain().at(-1) < 100000;
    for (const [from, to] of view.pauses) {
      const left = Math.min(x(from) + MARK, x(to) - 3), told = long(to - from);
      svg.append("rect").attr("class", "pause").attr("x", left).attr("width", x(to) - left).attr("y", 0).attr("height", 100000);
      svg.append("text").attr("class", "soft").attr("x", (left + x(to)) / 2).attr("y", 28)
        .attr("text-anchor", "middle").text(x(to) - left > told.length * 7 ? told : "…");
    }
    const spans = view.places.slice(1).map(([to], at) => [view.places[at][0], to]).filter(([from]) => !pauses.has(from));
    const each = Math.max(...spans.map(([from, to]) => (x(to) - x(from)) / (to - from)));
    const step = data.steps.find(one => one * each >= (one % 1000 ? 116 : 76)) ?? data.steps.at(-1);
    const name = moment => {
      const told = clock(precise ? moment : Math.round(moment / 1000) * 1000), half = told.length * 3.4, at = Math.min(Math.max(x(moment), half), wide - half);
      svg.append("line").attr("class", "row").attr("x1", x(moment)).attr("x2", x(moment)).attr("y1", 15).attr("y2", 20);
      // In a pause of milliseconds two moments of one second would be named alike.
      if (taken.some(one => one.told === told || Math.abs(one.at - at) < one.half + half + 4)) return;
      taken.push({at, half, told});
      svg.append("text").attr("x", at).attr("y", 12).attr("text-anchor", "middle").text(told);
    };
    name(0);
    if (pauses.size && spans.length) name(spans.at(-1)[0]);
    for (const [from, to] of spans)
      for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) name(tick);
    for (const [from] of spans) name(from);
  }
  const label = (text, y, more = "") => drawn.svg.append("text").attr("x", 2).attr("y", y + 10)
    .text(shortened(text, more));
  function shortened(text, more = "", left = 0) {
    const room = Math.floor((drawn.wide - left) / 6.6);
    if (text.length + more.length <= room) return text + more;
    return text.length > room ? `${text.slice(0, room - 1)}…` : text;
  }
  function* laneGroups(made, shard) {
    const lanes = new Map();
    for (const batch of made.batches) if (batch.shard === shard) {
      const lane = made.laneOf(batch);
      if (!lanes.has(lane)) lanes.set(lane, []);
      lanes.get(lane).push(batch);
    }
    yield* [...lanes].sort((a, b) => a[0].localeCompare(b[0], "en", {numeric: true}));
  }
  // What lies closer together than its sign is wide is one mark, with the number of what is in it.
  function gathered(ones, from, to, least) {
    const groups = [];
    for (const one of [...ones].sort((a, b) => from(a) - from(b))) {
      const last = groups.at(-1);
      if (last && from(one) < last.right && from(one) - last.left < least) {
        last.ones.push(one);
        last.right = Math.max(last.right, to(one));
      } else groups.push({left: from(one), right: Math.max(to(one), from(one) + least), ones: [one]});
    }
    return groups;
  }
  // What a mark of several shows: the state whose tone comes last in the order.
  const gravest = (names, states, order) =>
    names.reduce((a, b) => order.indexOf(states[b].tone) > order.indexOf(states[a].tone) ? b : a);
  function recordRow(shard, y) {
    const {svg, x, made} = drawn, records = made.play.records.filter(one => one.shard === shard.id);
    const parent = shard.parent ? `, child of ${made.play.shards[shard.parent - 1].name}` : "";
    label(`${shard.stream}, ${shard.name}${parent}`, y, ` · ${counted(records.length, "record")}`);
    const line = svg.append("line").attr("class", "row").attr("y1", y + 14 + HIGH / 2).attr("y2", y + 14 + HIGH / 2);
    line.attr("x1", x(shard.opened)).attr("x2", x(shard.closed ?? made.play.length));
    for (const group of gathered(records, one => x(one.written), one => x(one.written) + MARK, MARK)) {
      const mark = svg.append("g").attr("class", "record");
      const {left} = group;
      mark.append("rect").attr("x", left).attr("y", y + 14).attr("width", MARK - 1).attr("height", HIGH).attr("rx", 9);
      mark.append("text").attr("class", "sign").attr("x", left + MARK / 2 - .5).attr("y", y + 14 + 13);
      mark.append("title");
      drawn.records.push({mark, ones: group.ones});
    }
    return y + 14 + HIGH + GAP;
  }
  function momentRow(play, y) {
    if (!play.moments.length) return y;
    const {svg, x} = drawn;
    label("What was done", y, ` · ${counted(play.moments.length, "moment")}, told at each step`);
    const wide = 6 + 7 * (play.moments.length > 9 ? 5 : 3);
    for (const group of gathered(play.moments, one => x(one.at), one => x(one.at) + wide, wide)) {
      const ends = new Set([group.ones[0], group.ones.at(-1)].map(one => play.moments.indexOf(one) + 1));
      const told = [...ends].join("–"), left = Math.min(group.left, drawn.wide - 4 - told.length * 7);
      const mark = svg.append("g").attr("class", "moment");
      mark.append("path").attr("class", "before").attr("d", `M${left} ${y + 13}v${HIGH}`);
      mark.append("text").attr("x", left + 3).attr("y", y + 27).text(told);
      mark.append("title").text(group.ones.map(one => `${clock(one.at)}: ${one.what}`).join("; "));
    }
    return y + 14 + HIGH + GAP;
  }
  function laneRow(lane, ones, y) {
    const {svg, x, made} = drawn;
    label(lane, y, ` · ${counted(ones.filter(one => one.attempt).length, "attempt")}`);
    for (const group of gathered(ones, one => x(one.start), one => x(one.until), MARK)) {
      const kinds = [...new Set(group.ones.map(one => one.key))];
      const key = gravest(kinds, data.attempts, ["quiet", "good", "warn", "bad"]);
      const one = data.attempts[key], room = group.right - group.left;
      const mark = svg.append("g").attr("class", "attempt"), {left} = group;
      mark.append("rect").attr("class", `tone-${one.tone}`).attr("x", left).attr("y", y + 14)
        .attr("width", room - 1).attr("height", HIGH).attr("rx", 2);
      const number = String(group.ones.length);
      const sign = group.ones.length > 1 && room >= number.length * 6 + 4 ? number : one.sign;
      mark.append("text").attr("class", "sign").attr("x", left + room / 2).attr("y", y + 14 + 13).text(sign);
      mark.append("title").text(kinds.map(kind =>
        `${group.ones.filter(each => each.key === kind).length} ${data.attempts[kind].name}`).join("; "));
      mark.on("pointerdown", event => event.stopPropagation());
      mark.on("click", event => { event.stopPropagation(); pick(group.ones); });
      drawn.marks.push({mark, ones: group.ones, hit: group.ones.some(each => hit(made, each))});
    }
    return y + 14 + HIGH + GAP;
  }
  function alarmRow(alarm, y) {
    const {svg, x, made} = drawn;
    label(`${alarm.name}`, y, " · alarm");
    const changes = [[0, "INSUFFICIENT_DATA"], ...alarm.states];
    changes.forEach(([at, name], place) => {
      const end = changes[place + 1]?.[0] ?? made.play.length, one = data.alarms[name], room = x(end) - x(at);
      if (end <= at) return;
      const mark = svg.append("g");
      mark.append("rect").attr("class", `tone-${one.tone}`).attr("x", x(at)).attr("y", y + 14)
        .attr("width", Math.max(2, room)).attr("height", HIGH);
      if (room > 14) mark.append("text").attr("class", "sign").attr("x", x(at) + room / 2).attr("y", y + 14 + 13)
        .text(room > one.name.length * 7 + 24 ? `${one.sign} ${one.name}` : one.sign);
      mark.append("title").text(`${alarm.name}: ${one.name} from ${clock(at)} to ${clock(end)}`);
    });
    for (const [at, name, protocol] of alarm.told)
      svg.append("path").attr("class", "before").attr("d", `M${x(at)} ${y + 11}v${HIGH + 6}`)
        .append("title").text(`${clock(at)}: ${protocol} is told of ${name}`);
    return y + 14 + HIGH + GAP;
  }
  function chartRow(chart, y) {
    const {svg, x, made} = drawn, metric = made.play.metrics[chart.metric], high = 46;
    const most = Math.max(...metric.minutes.map(one => one[chart.at]));
    const told = metric.unit === "Milliseconds" ? long(most) : (+most.toPrecision(4)).toLocaleString("en");
    const full = `${chart.title} · ${chart.unit.replace(", Milliseconds", "")}, up to ${told}`;
    label(shortened(full) === full ? full : `${metric.name} · ${chart.unit.split(" ")[0]} a minute, to ${told}`, y);
    // A threshold far above what was measured would flatten it: it is named and not drawn.
    const near = chart.limits.filter(one => one.value >= 0 && one.value <= 5 * most);
    const up = d3.scaleLinear().domain([0, Math.max(most, ...near.map(one => one.value), 1e-9)]).range([y + 16 + high, y + 16]);
    let path = "", end = null;
    for (const entry of metric.minutes) {
      const left = x(entry[0] * 60000), right = Math.max(x((entry[1] + 1) * 60000), left + 1);
      // Minutes that follow each other are one outline: hundreds of strokes would be all that is seen.
      if (end === null || left > end) path += `${path && `V${up(0)}`}M${left.toFixed(1)} ${up(0)}`;
      path += `V${up(entry[chart.at]).toFixed(1)}H${right.toFixed(1)}`;
      end = right;
    }
    svg.append("path").attr("class", "area").attr("d", `${path}V${up(0)}`);
    svg.append("line").attr("class", "row").attr("x1", 0).attr("x2", drawn.wide).attr("y1", up(0)).attr("y2", up(0));
    y += 16 + high + 4;
    chart.limits.forEach((one, number) => {
      const dash = ["7 4", "2 3", "9 3 2 3", "1 5"][number % 4], shown = near.includes(one);
      const across = shown ? `M0 ${up(one.value)}H${drawn.wide}` : "";
      svg.append("path").attr("class", "limit").attr("stroke-dasharray", dash).attr("d", `${across}M2 ${y + 8}h26`)
        .append("title").text(one.said);
      svg.append("text").attr("x", 34).attr("y", y + 12).text(shortened(shown ? one.said : `not drawn: ${one.said}`, "", 34));
      y += 16;
    });
    return y + GAP;
  }

  // -- the tray --------------------------------------------------------------------------------
  const STATES = Object.keys(data.records);
  let boxes = null;
  function layTray() {
    const made = prepare(state.number), records = made.play.records.filter(one => one.fates.some(fate => fate.by === state.reader));
    tray.replaceChildren();
    boxes = null;
    if (!records.length) return;
    const last = new Map(records.map(one => [one, recordState(made, one.id, Infinity)]));
    const ends = new Set([...BEFORE, ...last.values(), ...records.map(one => made.fate.get(one.id)[0])]);
    const used = STATES.filter(name => ends.has(name));
    const wide = Math.max(300, picture.clientWidth), box = wide / used.length, across = Math.floor((box - 8) / 16);
    const deep = 5, each = Math.max(1, Math.ceil(records.length / (across * deep)));
    // Records of one mark end alike, so that it can be where all of them are.
    const groups = [];
    for (const name of STATES) {
      const alike = records.filter(one => last.get(one) === name);
      for (let at = 0; at < alike.length; at += each) groups.push({ones: alike.slice(at, at + each)});
    }
    const rows = Math.min(deep, Math.ceil(groups.length / across)), high = 34 + rows * 18;
    const svg = d3.select(tray).append("svg").attr("width", wide).attr("height", high).attr("viewBox", `0 0 ${wide} ${high}`).attr("role", "img");
    const heads = new Map();
    used.forEach((name, at) => {
      svg.append("rect").attr("class", `tone-${data.records[name].tone}`).attr("x", at * box + 1).attr("y", 1)
        .attr("width", box - 3).attr("height", high - 2).attr("rx", 4).attr("fill-opacity", .35);
      heads.set(name, svg.append("text").attr("x", at * box + 6).attr("y", 16));
    });
    for (const group of groups) {
      group.mark = svg.append("g").attr("class", "place");
      group.mark.append("rect").attr("width", 14).attr("height", 16).attr("rx", 7);
      group.mark.append("text").attr("class", "sign").attr("x", 7).attr("y", 12);
      group.mark.append("title").text(listed(group.ones.map(one => one.name)));
    }
    const told = (name, number) => `${data.records[name].sign} ${data.records[name].name.replace("given up, ", "")}: ${number}`;
    const narrow = used.some(name => told(name, records.length).length * 6.6 + 10 > box);
    const head = narrow ? (name, number) => `${data.records[name].sign} ${number}` : told;
    boxes = {svg, heads, groups, used, box, across, each, records, head};
    if (each > 1) tray.append(make("p", {class: "each"}, `Each mark here stands for up to ${each} records.`));
  }
  function showTray(states) {
    if (!boxes) return;
    const counts = new Map(boxes.used.map(name => [name, 0]));
    for (const one of boxes.records) {
      const name = states.get(one.id);
      if (counts.has(name)) counts.set(name, counts.get(name) + 1);
    }
    for (const [name, head] of boxes.heads) head.text(boxes.head(name, counts.get(name)));
    const filled = new Map();
    for (const group of boxes.groups) {
      const inside = group.ones.map(one => states.get(one.id)), name = boxes.used.find(one => inside.includes(one));
      group.mark.classed("dim", !name || (state.query && !group.ones.some(one => named(drawn.made, one.id).includes(state.query))));
      const at = filled.get(name ?? "") ?? 0;
      filled.set(name ?? "", at + 1);
      const left = name ? boxes.used.indexOf(name) * boxes.box + 5 + at % boxes.across * 16 : 0;
      group.mark.attr("visibility", name ? "visible" : "hidden")
        .style("transform", `translate(${left}px, ${26 + Math.floor(at / boxes.across) * 18}px)`);
      if (!name) continue;
      group.mark.select("rect").attr("class", `tone-${data.records[name].tone}`);
      group.mark.select("text").text(group.ones.length > 1 && group.ones.length < 10 ? group.ones.length : data.records[name].sign);
    }
    const told = [...counts].filter(one => one[1]).map(([name, number]) => `${number} ${data.records[name].name}`);
    boxes.svg.attr("aria-label", `Records: ${told.join(", ") || "none is written yet"}`
      + (boxes.each > 1 ? `. Each mark stands for up to ${boxes.each} records.` : ""));
  }

  // -- a moment --------------------------------------------------------------------------------
  function show() {
    const {made, x} = drawn, event = made.events[state.step], at = event.at;
    if (typeof event.batch === "number") state.batch = event.batch;
    slider.value = state.step;
    slider.setAttribute("aria-valuetext", `${clock(at)}: ${event.what}`);
    say(event);
    drawn.cursor.attr("x1", x(at)).attr("x2", x(at));
    const states = new Map(made.play.records.map(one => [one.id, recordState(made, one.id, state.step)]));
    for (const {mark, ones} of drawn.records) {
      const inside = ones.map(one => states.get(one.id)), known = STATES.filter(one => inside.includes(one));
      const name = known.length ? gravest(known, data.records, ["good", "quiet", "warn", "bad"]) : null;
      const one = name ? data.records[name] : {tone: "quiet", sign: ""};
      mark.select("rect").attr("class", `tone-${one.tone}`).attr("fill-opacity", name ? 1 : .15);
      mark.select("text").text(ones.length > 1 && ones.length < 100 && name ? ones.length : one.sign);
      mark.select("title").text(`${counted(ones.length, "record")}: ${listed(ones.map(each => each.name))}. `
        + STATES.filter(each => inside.includes(each)).map(each => `${inside.filter(two => two === each).length} ${data.records[each].name}`).join(", "));
      mark.classed("dim", Boolean(state.query) && !ones.some(each => named(made, each.id).includes(state.query)));
    }
    for (const one of drawn.marks) {
      one.mark.classed("chosen", one.ones.some(each => each.id === state.batch));
      one.mark.classed("dim", !one.hit);
    }
    showTray(states);
    showBatch(made);
    buttons.first.disabled = buttons.back.disabled = state.step === 0;
    buttons.last.disabled = buttons.next.disabled = state.step === made.events.length - 1;
  }
  const CLOSED = {
    size: "The batch was full (BatchSize).",
    window: "The batching window was over.",
    bytes: "The batch had reached 6 MB.",
    available: "The batch took what was there.",
    "tumbling window": "The tumbling window was over.",
  };
  function say(event) {
    now.replaceChildren(make("b", {}, clock(event.at)), ` ${event.what}`);
  }
  // What is told of a step has the room of the longest, so that what stands below it stays there.
  function reserve(made) {
    const tallest = (box, ones, sizes, show) => {
      box.style.minHeight = "";
      const long = size => [...ones].sort((a, b) => size(b) - size(a)).slice(0, 2);
      const heights = [...new Set(sizes.flatMap(long))].map(one => { show(one); return Math.ceil(box.getBoundingClientRect().height); });
      box.style.minHeight = `${Math.max(0, ...heights)}px`;
    };
    const of = one => made.invocations.get(one.id), lines = one => Math.min(one.ids.length, 13);
    const answer = one => (one.answer ?? one.error ?? "").length, rule = one => one.rule ? made.play.rules[one.rule - 1].rule.length : 0;
    const calls = one => of(one)?.calls.length ?? 0, log = one => of(one)?.log.length ?? 0;
    const all = one => 30 * (lines(one) + calls(one) + log(one)) + answer(one) + rule(one);
    tallest(now, made.events, [one => one.what.length], say);
    tallest(about, made.batches, [lines, answer, rule, calls, log, all], one => showBatch(made, one));
  }
  function section(title, ...inside) {
    return make("section", {}, make("h3", {}, title), ...inside);
  }
  function showBatch(made, batch = made.batches[state.batch - 1]) {
    about.replaceChildren();
    if (!batch && made.batches.length)
      about.append(make("p", {}, "Choose an attempt: its records, its answer, its calls, and why Lambda then did what it did."));
    if (!batch) return;
    const {play} = made, one = data.attempts[batch.key], made_by = made.invocations.get(batch.id);
    const called = batch.attempt ? `${batch.batch}, attempt ${batch.attempt}` : batch.batch;
    const when = batch.end === null ? `since ${clock(batch.start)}` : `${clock(batch.start)} to ${clock(batch.end)} (${long(batch.end - batch.start)})`;
    const closed = CLOSED[batch.closed_by] ? ` ${CLOSED[batch.closed_by]}` : "";
    about.append(make("div", {class: "whole"}, make("h3", {}, called),
      make("p", {}, make("span", {class: `key tone-${one.tone}`, "aria-hidden": "true"}, one.sign), ` ${one.name}. ${made.laneOf(batch)}, ${when}.${closed}`)));
    const items = batch.ids.slice(0, 12).map(id => make("li", {}, made.name(id)));
    if (batch.ids.length > 12)
      items.push(make("li", {}, `and ${batch.ids.length - 12} more, to ${made.name(batch.ids.at(-1))}`));
    about.append(section(`Records (${batch.ids.length})`, make("ul", {}, ...items)));
    about.append(section(batch.error === null ? "What the handler returned" : "How the invocation ended",
      make("pre", {}, batch.answer ?? batch.error ?? (batch.outcome === "running" ? "It still runs." : "The function was not asked."))));
    if (batch.rule) about.append(why(play, batch));
    if (made_by) about.append(...inside(made_by));
  }
  function why(play, batch) {
    const rule = play.rules[batch.rule - 1], parts = [make("p", {}, rule.rule)], page = data.pages[batch.setting];
    const links = make("p", {});
    if (rule.source.startsWith("https://")) links.append(make("a", {href: rule.source, rel: "noreferrer"}, "Where AWS says so"));
    else links.append(`A documented choice: ${rule.source}`);
    if (page) {
      const [path, part] = page.split("#");
      links.append(data.course ? make("a", {href: `${data.course}${path}.html#${part}`}, "In the course") : make("code", {}, `labs docs ${page}`));
      links.insertBefore(document.createTextNode(" · "), links.lastChild);
    }
    parts.push(links);
    const setting = play.mappings.find(one => one.name === batch.by)?.settings.find(one => one.name === batch.setting);
    if (setting) parts.push(setting.line
      ? make("pre", {}, `template.yaml:${setting.line}  ${setting.text}`)
      : setting.text ? make("p", {}, setting.text)
      : make("p", {}, make("code", {}, setting.name), " is left out of the template: AWS's default holds."));
    return section("Why Lambda then did this", ...parts);
  }
  function inside(one) {
    const found = [], rows = one.calls.map(([at, service, operation, ended]) => make("tr", {},
      make("td", {}, clock(at)), make("td", {}, `${service} ${operation}`), make("td", {}, ended)));
    if (rows.length) {
      const head = make("tr", {}, ...["when", "call", "how it ended"].map(text => make("th", {scope: "col"}, text)));
      const more = one.calls_in_all > rows.length ? [make("p", {}, `${one.calls_in_all - rows.length} more calls are left out.`)] : [];
      found.push(section(`Calls (${one.calls_in_all})`, make("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `Calls, ${[data.name, data.run.scenario].filter(Boolean).join(", ")}`},
        make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))), ...more));
    }
    if (one.ended_by) found.push(section("The environment", make("p", {}, `${one.ended_by}.`)));
    if (one.log.length) {
      const lines = one.log.map(([at, text]) => `${clock(at)}  ${text}`);
      if (one.lines_in_all > lines.length) lines.push(`and ${one.lines_in_all - lines.length} more lines`);
      const log = section(`Log (${one.lines_in_all})`, make("pre", {tabindex: 0, role: "region", "aria-label": "Log"}, lines.join("\n")));
      log.className = "whole";
      found.push(log);
    }
    return found;
  }

  // -- moving ----------------------------------------------------------------------------------
  function go(step, led = false) {
    const events = prepare(state.number).events;
    state.step = Math.min(Math.max(step, 0), events.length - 1);
    show();
    const end = state.step === events.length - 1 ? Infinity : events[state.step].at;
    if (!led) moved(state.number, state.step ? end : -Infinity);
  }
  const lastBy = moment => Math.max(0, d3.bisector(one => one.at).right(prepare(state.number).events, moment) - 1);
  function walk(way) {
    const events = prepare(state.number).events;
    let at = state.step + way;
    while (at > 0 && at < events.length - 1 && !matches(events[at])) at += way;
    go(at);
  }
  function pick(ones) {
    stop();
    const events = drawn.made.events, after = ones.find(one => one.id > (state.batch ?? 0)) ?? ones[0];
    const last = events.findLastIndex(one => one.batch === after.id);
    if (last >= 0) go(last);
  }
  function drag(event) {
    stop();
    go(lastBy(drawn.x.invert(d3.pointer(event)[0]) + .5));
  }
  function stop() {
    clearInterval(state.timer);
    state.timer = 0;
    sayRun("Play");
  }
  function sayRun(word) {
    buttons.run.textContent = word;
    buttons.run.setAttribute("aria-label", word);
    buttons.run.title = word;
  }
  function run() {
    if (state.timer) return stop();
    if (state.step === drawn.made.events.length - 1) go(0);
    sayRun("Pause");
    state.timer = setInterval(() => {
      walk(1);
      if (state.step === drawn.made.events.length - 1) stop();
    }, 600);
  }
  function open(number) {
    stop();
    const made = prepare(number);
    // Of a recording the first attempt is open: what is told of one is what it is about.
    Object.assign(state, {number, step: 0, batch: switched() && made.batches.length ? 1 : null});
    reader.replaceChildren(...made.readers.map(name => make("option", {value: name}, name)));
    chooseReader.hidden = made.readers.length < 2;
    state.reader = made.readers[0] ?? "";
    slider.max = made.events.length - 1;
    findIt.hidden = switched() || !made.batches.length;
    figures.replaceChildren(...made.play.figures.map(tell));
    figures.hidden = !made.play.figures.length;
    turn(number);
    again();
  }
  function again() {
    index(prepare(state.number));
    layTray();
    draw();
    reserve(drawn.made);
    show();
  }
  choose.addEventListener("change", () => { open(Number(choose.value)); go(0); });
  reader.addEventListener("change", () => { state.reader = reader.value; again(); });
  find.addEventListener("input", () => {
    state.query = find.value.trim().toLowerCase();
    for (const one of drawn.marks) one.hit = one.ones.some(each => hit(drawn.made, each));
    show();
  });
  slider.addEventListener("input", () => { stop(); go(Number(slider.value)); });
  buttons.first.addEventListener("click", () => { stop(); go(0); });
  buttons.back.addEventListener("click", () => { stop(); walk(-1); });
  buttons.run.addEventListener("click", run);
  buttons.next.addEventListener("click", () => { stop(); walk(1); });
  buttons.last.addEventListener("click", () => { stop(); go(Infinity); });
  picture.addEventListener("keydown", event => {
    const does = {ArrowLeft: () => walk(-1), ArrowRight: () => walk(1), Home: () => go(0), End: () => go(Infinity), " ": run}[event.key];
    if (!does) return;
    event.preventDefault();
    if (event.key !== " ") stop();
    does();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (picture.clientWidth === width || !picture.clientWidth) return;
    width = picture.clientWidth;
    again();
  }).observe(picture);
  width = picture.clientWidth;
  open(data.first);
  // A recording opens with the whole of it.
  if (switched()) go(Infinity);
  viewer.dataset.ready = "yes";
  return (number, at, batch) => {
    if (number >= plays.length) return;
    if (number !== state.number) {
      choose.value = number;
      open(number);
    }
    const by = batch && prepare(number).batches[batch - 1].by;
    if (by && by !== state.reader && prepare(number).readers.includes(by)) {
      state.reader = reader.value = by;
      again();
    }
    const last = batch ? prepare(number).events.findLastIndex(one => one.batch === batch && one.at <= at) : -1;
    go(last < 0 ? lastBy(at) : last, true);
  };
}

// The data of a viewer out of its letters and digits; long lists become rows again.
async function unpack(text) {
  const packed = Uint8Array.from(atob(text), one => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).json();
  const values = column => {
    let sum = 0;
    return column.steps ? column.steps.map(step => sum += step) : column;
  };
  const rows = (columns, made) => {
    const known = columns.map(values);
    return known.length ? known[0].map((_, at) => made(known.map(column => column[at]))) : [];
  };
  for (const play of data.run.plays) {
    for (const [list, columns] of Object.entries(play)) {
      if (!columns || Array.isArray(columns) || typeof columns !== "object") continue;
      const names = Object.keys(columns);
      play[list] = rows(Object.values(columns), row => Object.fromEntries(row.map((value, at) => [names[at], value])));
    }
    for (const metric of play.metrics) metric.minutes = rows(metric.minutes, row => row);
  }
  return data;
}
globalThis.streamlabs.viewer = {mount, unpack, style: ":host{color-scheme:light;--paper:#fff;--ink:#1b1f27;--soft:#4b5362;--rule:#c3c9d4;\n--bar:#9db8e8;--edge:#174ea6;--good:#d3efdb;--good-edge:#146c34;--bad:#fbd5d1;--bad-edge:#a51d14;\n--warn:#fbe7bb;--warn-edge:#7a5200;--quiet:#eceef3;--quiet-edge:#6b7485}\n@media screen{:host(.dark){color-scheme:dark}:host(.dark){--paper:#15181e;--ink:#e6e9f0;--soft:#aab2c0;\n--rule:#3d4554;--bar:#31508a;--edge:#8ab4f8;--good:#173a24;--good-edge:#7fd79b;--bad:#54211d;\n--bad-edge:#ff9d94;--warn:#4a3917;--warn-edge:#f0c674;--quiet:#262b35;--quiet-edge:#8a93a5}}\nsvg.drawing text{font:12px system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;fill:var(--ink)}\n.grid{stroke:var(--rule);fill:none}\n.before{stroke:var(--ink);stroke-width:2;stroke-dasharray:3 2;fill:none}\n.limit{stroke:var(--bad-edge);stroke-width:2;fill:none}\n.bar{fill:var(--bar);stroke:var(--edge)}\n.line{fill:none;stroke:var(--edge);stroke-width:2}\n.dot{fill:var(--edge)}\n.line1,.line3{stroke:var(--bad-edge)}\n.dot.line1,.dot.line3{fill:var(--bad-edge)}\n.line2,.line4{stroke:var(--ink)}\n.dot.line2,.dot.line4{fill:var(--ink)}\n.tone-good{fill:var(--good);background:var(--good);stroke:var(--good-edge);border:1px solid var(--good-edge)}\n.tone-bad{fill:var(--bad);background:var(--bad);stroke:var(--bad-edge);stroke-width:2;border:2px solid var(--bad-edge)}\n.tone-warn{fill:var(--warn);background:var(--warn);stroke:var(--warn-edge);stroke-dasharray:4 2;border:1px dashed var(--warn-edge)}\n.tone-quiet{fill:var(--quiet);background:var(--quiet);stroke:var(--quiet-edge);stroke-dasharray:1 3;border:1px dotted var(--quiet-edge)}\nfigure{margin:1.5em 0}\n.scroll{overflow:auto;max-width:100%;background:linear-gradient(90deg,var(--paper) 50%,transparent) 0 0/2em 100% no-repeat local,\nlinear-gradient(270deg,var(--paper) 50%,transparent) 100% 0/2em 100% no-repeat local,\nlinear-gradient(90deg,var(--soft),transparent) 0 0/.6em 100% no-repeat,\nlinear-gradient(270deg,var(--soft),transparent) 100% 0/.6em 100% no-repeat}\nsvg.drawing{display:block;max-width:none}\n.key{display:inline-block;min-width:1.3em;min-height:1.3em;vertical-align:top;text-align:center;color:var(--ink)}\n.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3em 1.2em}\n.said{min-height:1.5em;margin:.3em 0;color:var(--soft)}\n.mark:focus{outline:3px solid var(--edge);outline-offset:1px}\ntable{border-collapse:collapse}\nth,td{border:1px solid var(--rule);padding:.2em .5em;text-align:left;vertical-align:top}\n@media print{:root{color-scheme:light}\n.scroll{overflow:visible;background:none}\n.said{display:none}\nsvg.drawing{max-width:100%;height:auto}\n*{print-color-adjust:exact}}\n*{box-sizing:border-box}\n[hidden]{display:none!important}\nbody{margin:0 auto;padding:1em;max-width:76em;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}\nh1{font-size:1.6em;line-height:1.2;margin:.2em 0}\nh2{font-size:1.25em;margin:2em 0 .4em}\nh3{font-size:1em;margin:1em 0 .3em}\na{color:var(--edge)}\npre,code{font:13px/1.45 ui-monospace,\"DejaVu Sans Mono\",monospace}\npre{margin:.3em 0;white-space:pre-wrap;overflow-wrap:anywhere}\ntd,th{font-size:.85em;overflow-wrap:anywhere;min-width:4.5em;max-width:24em}\ndetails{margin:.6em 0}\nsummary{cursor:pointer}\ndt{font-weight:600}\ndd{margin:0 0 .5em}\n:focus-visible{outline:3px solid var(--edge);outline-offset:2px}\n.stopped{border:2px solid var(--bad-edge);padding:0 1em}\n.stopped h2{margin-top:.6em}\n.viewer{border:1px solid var(--rule);border-radius:6px;padding:.8em;margin:1em 0}\n.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30em),1fr));gap:0 1em;align-items:start}\n.pair .viewer{min-width:0}\n.viewer h2{margin:0 0 .5em}\n.controls{display:flex;flex-wrap:wrap;gap:.5em;align-items:end}\n.controls label{display:flex;flex-direction:column;font-size:.85em;color:var(--soft)}\n.controls .steps{display:flex;gap:.3em}\nbutton,select,input{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--quiet-edge);border-radius:4px;padding:.3em .6em;max-width:100%}\nbutton{cursor:pointer;min-width:2.6em}\ninput[type=range]{width:100%;padding:0;margin:.8em 0 .2em;accent-color:var(--edge)}\n.switches{display:flex;flex-wrap:wrap;gap:.5em}\n.switches fieldset{border:1px solid var(--rule);border-radius:4px;margin:0;padding:.1em .6em .4em;min-width:0}\n.switches legend{font-size:.85em;color:var(--soft);padding:0 .2em}\n.switches label{display:inline-flex;align-items:center;gap:.3em;margin-right:.8em;min-height:1.6em;cursor:pointer}\n.switches input{margin:0;accent-color:var(--edge)}\n.figures{list-style:none;display:flex;flex-wrap:wrap;gap:.1em 1.4em;margin:.6em 0;padding:0}\n.about:empty{display:none}\n.now{margin:.2em 0 .6em;min-height:3em;font-size:.9em}\n.picture{margin:.5em 0 .8em}\n.picture:focus-visible{outline-offset:4px}\n.now b{font-variant-numeric:tabular-nums}\nsvg.drawing{overflow:visible}\n.viewer svg{display:block;width:100%;touch-action:pan-y}\n.viewer svg text{font:12px system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;fill:var(--ink)}\n.viewer svg text.soft{fill:var(--soft)}\n.viewer svg text.sign{text-anchor:middle;pointer-events:none}\n.viewer .place{transition:transform .25s}\n.viewer .dim{opacity:.25}\n.attempt{cursor:pointer}\n.attempt.chosen rect{stroke:var(--ink);stroke-width:3;stroke-dasharray:none}\n.cursor{stroke:var(--edge);stroke-width:2}\n.pause{fill:var(--quiet);background:var(--quiet);stroke:none}\n.key.told{min-width:.3em;border-left:2px dashed var(--ink)}\n.area{fill:var(--bar);stroke:var(--edge)}\n.row{stroke:var(--rule)}\n.legend,.each{font-size:.85em;margin:.3em 0;color:var(--soft)}\n.about{border-top:1px solid var(--rule);margin-top:.8em;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22em),1fr));gap:0 1.5em;align-content:start}\n.about .whole{grid-column:1/-1}\n.about :is(h3,p){margin:.5em 0 .2em}\n.about ul{display:flex;flex-wrap:wrap;gap:0 1.2em;list-style:none;margin:.2em 0;padding:0}\n.about :is(pre,.scroll){max-height:18em;overflow:auto}\n.about :is(td,th){overflow-wrap:normal;min-width:0}\n.about td:first-child{white-space:nowrap}\n.scripted .still{display:none}\n.lost{border-top:2px solid var(--rule);margin-top:1.5em}\n.lost h2{margin-top:.8em}\ndl{display:grid;grid-template-columns:minmax(5em,max-content) 1fr;gap:.1em 1em}\ndd{overflow-wrap:anywhere;white-space:pre-wrap}\n@media (max-width:34em){dl{grid-template-columns:1fr}}\n.sight{border-left:4px solid var(--edge);padding-left:.8em;margin:1em 0}\n.sight p{margin:.2em 0}\n@media (prefers-reduced-motion:reduce){.viewer .place{transition:none}}\n@media print{body{max-width:none;padding:0;font-size:11pt}\n.viewer,.scene,.sight a{display:none}\n.scripted .still{display:block}\ndetails::details-content{content-visibility:visible;block-size:auto}\nsummary{list-style:none}\ntd,th{font-size:7pt;min-width:0}\nth,td:nth-child(-n+3){overflow-wrap:break-word}\ntr,figure{break-inside:avoid}}\n:host{font:16px/1.5 system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;color:var(--ink)}.viewer{margin:0 0 .8em;background:var(--paper)}"};
})();
